#!/usr/bin/env python3
"""Times PyTorch on this machine's GPU, eager and compiled, both replayed from a CUDA graph, FP16: the peers of models.py.

usage: peers.py [--only NAME]... [--batch 1] [--no-compile] [--out peers.json]

A row per model goes to the file as soon as it is there. Inputs and outputs stay in the GPU's memory; times are medians over five series of
replays. Convolutional networks run channels last. Weights are random: times do not depend on them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

Model = tuple[nn.Module, tuple[torch.Tensor, ...]]


def vision(name: str, batch: int) -> Model:
    import torchvision

    model = getattr(torchvision.models, name)().eval().cuda().half()
    image = torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.half)
    if name.startswith("vit"):
        return model, (image,)
    return model.to(memory_format=torch.channels_last), (image.contiguous(memory_format=torch.channels_last),)


class LastHidden(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.model(ids)[0]


def bert(batch: int) -> Model:
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig()).eval().cuda().half()
    return LastHidden(model), (torch.randint(0, 30000, (batch, 128), device="cuda"),)


def lstm(batch: int) -> Model:
    model = nn.LSTM(512, 512, 2).eval().cuda().half()
    return model, (torch.randn(100, batch, 512, device="cuda", dtype=torch.half),)


MODELS: dict[str, Callable[[int], Model]] = {
    "tv_resnet50": lambda batch: vision("resnet50", batch),
    "tv_mobilenet_v2": lambda batch: vision("mobilenet_v2", batch),
    "tv_efficientnet_b0": lambda batch: vision("efficientnet_b0", batch),
    "tv_vit_b_16": lambda batch: vision("vit_b_16", batch),
    "hf_bert_base": bert,
    "lstm_2x512": lstm,
}


def graph_ms(run: Callable[[], Any], replays: int = 200, series: int = 5) -> float:
    """Milliseconds of a replay of a graph of `run`."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    for _ in range(20):
        graph.replay()
    times = []
    for _ in range(series):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(replays):
            graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / replays)
    return sorted(times)[len(times) // 2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], choices=list(MODELS))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true", help="eager alone")
    parser.add_argument("--out", type=Path, default=Path("peers.json"))
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.backends.cudnn.benchmark = True
    rows: list[dict[str, Any]] = json.loads(args.out.read_text()) if args.out.exists() else []
    done = {(row["model"], row["batch"]) for row in rows}
    for name, make in MODELS.items():
        if (name, args.batch) in done or (args.only and name not in args.only):
            continue
        model, inputs = make(args.batch)
        row: dict[str, Any] = {"model": name, "batch": args.batch, "torch": torch.__version__, "device": torch.cuda.get_device_name()}
        row["torch_eager_ms"] = graph_ms(lambda: model(*inputs))
        if not args.no_compile:
            start = time.time()
            try:
                torch._dynamo.reset()
                compiled = torch.compile(model, dynamic=False)
                compiled(*inputs)
                row["compile_s"] = round(time.time() - start, 1)
                row["torch_compile_ms"] = graph_ms(lambda: compiled(*inputs))
            except Exception as error:  # noqa: BLE001  a model that it cannot compile has a row all the same
                row["torch_compile_error"] = str(error)[:300]
        rows.append(row)
        print(json.dumps(row), flush=True)
        args.out.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
