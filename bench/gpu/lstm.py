#!/usr/bin/env python3
"""Writes the ONNX file of stacked LSTM layers with seeded weights and, beside it, an input; with --torch also times the same net in torch.

usage: lstm.py FOLDER [--layers 2] [--hidden 512] [--steps 100] [--batch 1] [--bidirectional] [--torch fp16]

FOLDER gets model.onnx and inputs.npz, which `tenon run model.onnx --input inputs.npz` takes. Weights are uniform within 1 / sqrt(hidden),
as torch makes them. --torch (fp32, fp16) wants torch and a GPU: it prints the median time of 50 runs, captured in a graph, and puts the
outputs into torch.npz.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[np.float32]


def weights(args: argparse.Namespace) -> list[dict[str, Array]]:
    """Of each layer W, R and B as ONNX orders gates: iofc."""
    rng = np.random.default_rng(args.seed)
    limit = 1 / np.sqrt(args.hidden)
    directions = 2 if args.bidirectional else 1
    shapes = [
        {
            "W": (directions, 4 * args.hidden, args.hidden * (directions if layer else 1)),
            "R": (directions, 4 * args.hidden, args.hidden),
            "B": (directions, 8 * args.hidden),
        }
        for layer in range(args.layers)
    ]
    return [
        {name: rng.uniform(-limit, limit, shape).astype(np.float32) for name, shape in layer.items()} for layer in shapes
    ]


def model(args: argparse.Namespace, layers: list[dict[str, Array]]) -> onnx.ModelProto:
    nodes, initializers = [], []
    x, directions = "x", layers[0]["R"].shape[0]
    for i, layer in enumerate(layers):
        initializers += [numpy_helper.from_array(value, f"{name}{i}") for name, value in layer.items()]
        direction = "bidirectional" if directions == 2 else "forward"
        outputs = [f"y{i}", f"h{i}", f"c{i}"]
        nodes.append(
            helper.make_node(
                "LSTM", [x, f"W{i}", f"R{i}", f"B{i}"], outputs, f"lstm{i}", hidden_size=args.hidden, direction=direction
            )
        )
        # [steps, directions, batch, hidden] → [steps, batch, directions * hidden]
        nodes.append(helper.make_node("Transpose", [f"y{i}"], [f"t{i}"], perm=[0, 2, 1, 3]))
        x = "y" if i + 1 == len(layers) else f"x{i + 1}"
        nodes.append(helper.make_node("Reshape", [f"t{i}", "shape"], [x]))
    initializers.append(numpy_helper.from_array(np.array([0, 0, -1], np.int64), "shape"))
    shape = [args.steps, args.batch]
    graph = helper.make_graph(
        nodes,
        "lstm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [*shape, args.hidden])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [*shape, directions * args.hidden])],
        initializers,
    )
    out = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    out.ir_version = 8
    onnx.checker.check_model(out)
    return out


def run_torch(args: argparse.Namespace, layers: list[dict[str, Array]], x: Array) -> tuple[float, Array]:
    import torch

    dtype = torch.float16 if args.torch == "fp16" else torch.float32
    net: Any = torch.nn.LSTM(args.hidden, args.hidden, args.layers, bidirectional=args.bidirectional)

    def reordered(value: Array) -> Any:  # iofc → ifco
        i, o, f, c = np.split(value, 4)
        return torch.from_numpy(np.concatenate([i, f, c, o]))

    state = {}
    for i, layer in enumerate(layers):
        for d in range(layer["R"].shape[0]):
            suffix = f"l{i}" + ("_reverse" if d else "")
            b_x, b_h = np.split(layer["B"][d], 2)
            for name, value in {"weight_ih": layer["W"][d], "weight_hh": layer["R"][d], "bias_ih": b_x, "bias_hh": b_h}.items():
                state[f"{name}_{suffix}"] = reordered(value)
    net.load_state_dict(state)
    net = net.to("cuda", dtype).eval()
    net.flatten_parameters()
    given = torch.from_numpy(x).to("cuda", dtype)
    with torch.no_grad():
        for _ in range(3):
            y = net(given)[0]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = net(given)[0]
        times = []
        for _ in range(50):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            graph.replay()
            end.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(end))
    return float(np.median(times)), y.float().cpu().numpy()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bidirectional", action="store_true")
    parser.add_argument("--torch", choices=["fp32", "fp16"])
    args = parser.parse_args()
    layers = weights(args)
    x = np.random.default_rng(args.seed + 1).standard_normal((args.steps, args.batch, args.hidden)).astype(np.float32)
    args.folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model(args, layers), str(args.folder / "model.onnx"))
    np.savez(args.folder / "inputs.npz", x=x)
    if args.torch:
        ms, y = run_torch(args, layers, x)
        np.savez(args.folder / "torch.npz", y=y)
        print(f"torch {args.torch}: {ms:.4f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
