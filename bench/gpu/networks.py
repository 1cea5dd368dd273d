"""The networks that models.py measures: PyTorch modules with seeded weights, their inputs and their ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

Network = tuple[nn.Module, torch.Tensor]


class Taken(nn.Module):
    """One output of a module that has several."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.model(x)[0]
        return out


def vision(name: str, batch: int) -> Network:
    import torchvision

    model = getattr(torchvision.models, name)()
    if name.startswith("vit"):
        nn.init.normal_(model.heads.head.weight, std=0.03)  # zeros otherwise
    return model, torch.randn(batch, 3, 224, 224)


def bert(batch: int) -> Network:
    from transformers import BertConfig, BertModel

    return Taken(BertModel(BertConfig(), add_pooling_layer=False)), torch.randint(0, 30000, (batch, 128))


def lstm(batch: int) -> Network:
    return Taken(nn.LSTM(512, 512, 2)), torch.randn(100, batch, 512)


NETWORKS: dict[str, Callable[[int], Network]] = {
    "resnet50": lambda batch: vision("resnet50", batch),
    "mobilenet_v2": lambda batch: vision("mobilenet_v2", batch),
    "efficientnet_b0": lambda batch: vision("efficientnet_b0", batch),
    "vit_b_16": lambda batch: vision("vit_b_16", batch),
    "bert_base": bert,
    "lstm_2x512": lstm,
}


def settle(model: nn.Module, x: torch.Tensor) -> None:
    """Statistics of a batch for the norms, as training leaves them: without, activations of random weights fade to nothing in FP16."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    if norms:
        model.train()
        model(torch.randn(8, *x.shape[1:]))


def make(name: str, batch: int) -> Network:
    """The network for inference, in FP32 on the host, and an input."""
    torch.manual_seed(0)
    model, x = NETWORKS[name](batch)
    settle(model, x)
    return model.eval(), x


def on_gpu(model: nn.Module, x: torch.Tensor, dtype: torch.dtype) -> Network:
    """The network in that type on the GPU; images channels last, as PyTorch is fastest with."""
    model, x = model.to("cuda", dtype), x.to("cuda", dtype if x.is_floating_point() else x.dtype)
    if x.dim() == 4 and not any(isinstance(part, nn.MultiheadAttention) for part in model.modules()):
        return model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    if isinstance(model, Taken) and isinstance(model.model, nn.LSTM):
        model.model.flatten_parameters()
    return model, x


def export(model: nn.Module, x: torch.Tensor, path: Path, open_batch: bool = False) -> None:
    """The ONNX file, for x's shape, or for any batch; the input is "x", the output "y"."""
    names: dict[str, Any] = {"input_names": ["x"], "output_names": ["y"]}
    if open_batch:
        axis = 1 if isinstance(model, Taken) and isinstance(model.model, nn.LSTM) else 0
        names["dynamic_axes"] = {name: {axis: "batch"} for name in ("x", "y")}
    try:
        torch.onnx.export(model, (x,), str(path), dynamo=False, opset_version=17, **names)
    except Exception:
        torch.onnx.export(model, (x,), str(path), dynamo=True, external_data=False, **names)
