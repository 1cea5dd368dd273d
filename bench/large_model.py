#!/usr/bin/env python3
"""Time and memory of `tenon check` and `tenon build` on a large model: products with weights of 16 MB each, in one ONNX file.

usage: large_model.py [--tenon build/release/bin/tenon] [--megabytes 500]... [--runs 3] [--out FILE]

Memory is the peak of the process's resident pages, with the pages of the mapped model; shares are of the file's size.
example: bench/large_model.py --megabytes 100 --megabytes 500
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SIDE = 2048


def write(path: Path, megabytes: int) -> None:
    layers = max(1, round(megabytes * 1e6 / (4 * SIDE * SIDE)))
    random = np.random.default_rng(1)
    weights = [numpy_helper.from_array(random.standard_normal((SIDE, SIDE), np.float32) / 64, f"w{i}") for i in range(layers)]
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"], name=f"product_{i}") for i in range(layers)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", SIDE]) for name in ("x0", f"x{layers}")]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], weights)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString())


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    return seconds, usage.ru_maxrss * 1024 / 1e6


def cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenon", default="build/release/bin/tenon")
    parser.add_argument("--megabytes", type=int, action="append")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model, engine = Path(folder) / "model.onnx", Path(folder) / "model.engine"
        for megabytes in args.megabytes or [500]:
            # Apart: a process starts with the peak of the one that started it.
            worker = multiprocessing.get_context("spawn").Process(target=write, args=(model, megabytes))
            worker.start()
            worker.join()
            size = model.stat().st_size / 1e6
            for verb, command in (("check", ["check", str(model)]), ("build", ["build", str(model), "-o", str(engine)])):
                measured = [run([args.tenon, *command]) for _ in range(args.runs)]
                seconds = statistics.median(seconds for seconds, _ in measured)
                peak = max(peak for _, peak in measured)
                rows.append(
                    {"verb": verb, "model_mb": round(size, 1), "seconds": round(seconds, 3), "peak_mb": round(peak, 1), "cpu": cpu()}
                )
                print(f"{verb}: {size:.0f} MB in {seconds:.2f} s, peak memory {peak:.0f} MB, {peak / size:.2f} of the file")
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
