#!/usr/bin/env python3
"""Networks of PyTorch on this machine's GPU: Tenon's engine beside PyTorch eager and compiled, in turns, outputs compared first.

usage: models.py [--prefix build/release] [--only NAME]... [--batch 1,8,128] [--precision fp16] [--timing-cache FILE] [--no-tune]
                 [--open-batch] [--no-compile] [--profile] [--seconds 450] [--out models.json]

Each network is exported to ONNX, built for its shape and run on the same input. max_rel_err is max|a-b| / max|b| against PyTorch in
FP32, torch_max_rel_err that of PyTorch in the precision that is measured. All are replayed from CUDA graphs, inputs and outputs in the
GPU's memory: Tenon and both of PyTorch take turns, seven times; a figure is the median. Hot: run after run. Cold: each run behind a write
to twice the L2 cache's size, the time of the run alone. --profile adds what each step of Tenon's plan adds to a run.

With --open-batch the file leaves the batch open and kernels are chosen for it by --opt-shape.

build_s is one `tenon build` (tuning included, with what --timing-cache knows), first_result_s a process that loads the engine, runs it
once and ends. A row per model, batch and precision goes to the file as soon as it is there; a run that was cut off, or ended after
--seconds, goes on with what is missing. Wants PyTorch, torchvision, transformers and onnx.

example: models.py --only resnet50 --batch 1 --out /tmp/models.json
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networks
import torch
from c_engine import Engine

ROUNDS = 7
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
Job = Callable[[], Any]


def errors(got: torch.Tensor, wanted: torch.Tensor) -> tuple[float, float]:
    """The largest relative error and the cosine."""
    a, b = got.double().flatten(), wanted.double().flatten()
    return float((a - b).abs().max() / b.abs().max()), float(a @ b / (a.norm() * b.norm()))


def captured(run: Job) -> Job:
    """A graph of run, as a job that replays it."""
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        run()
    return graph.replay


def hot_ms(run: Job, runs: int) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    for _ in range(3):
        run()
    start.record()
    for _ in range(runs):
        run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / runs


def cold_ms(run: Job, flush: torch.Tensor, runs: int = 20) -> float:
    pairs = []
    for _ in range(runs):
        flush.zero_()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        pairs.append((start, end))
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in pairs)


def in_turns(jobs: dict[str, Job]) -> dict[str, float]:
    flush = torch.empty(2 * torch.cuda.get_device_properties(0).L2_cache_size, dtype=torch.uint8, device="cuda")
    runs = {name: max(5, min(400, int(100 / hot_ms(job, 5)))) for name, job in jobs.items()}
    hot: dict[str, list[float]] = {name: [] for name in jobs}
    cold: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            hot[name].append(hot_ms(job, runs[name]))
            cold[name].append(cold_ms(job, flush))
    out = {f"{name}_ms": round(statistics.median(values), 5) for name, values in hot.items()}
    return out | {f"{name}_cold_ms": round(statistics.median(values), 5) for name, values in cold.items()}


def command(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=400)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[:2])}: exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def build(args: argparse.Namespace, model: Path, engine: Path, precision: str, dims: str) -> dict[str, Any]:
    tenon = str(args.prefix / "bin/tenon")
    flags = [] if precision == "fp32" else [f"--{precision}"]
    flags += ["--timing-cache", args.timing_cache] if args.timing_cache else []
    flags += ["--no-tune"] if args.no_tune else []
    flags += ["--opt-shape", f"x={dims}"] if args.open_batch else []
    start = time.monotonic()
    command([tenon, "build", str(model), "-o", str(engine), "--target", "cuda", *flags])
    row: dict[str, Any] = {"build_s": round(time.monotonic() - start, 2)}
    plan = command([tenon, "inspect", str(engine), "--plan"])
    steps = re.findall(r"^\s+\d+ @(\d) .*?  (\w+)\{", plan, re.M)
    row["kernels"] = sum(device == "1" and kind != "transfer" for device, kind in steps)
    row["host_steps"] = sum(device == "0" for device, kind in steps)
    start = time.monotonic()
    command([tenon, "run", str(engine), "--device", "cuda", "--shape", f"x={dims}"])
    row["first_result_s"] = round(time.monotonic() - start, 3)
    if args.profile:
        words = [tenon, "bench", str(engine), "--device", "cuda", "--resident", "--profile", "--json", "--seconds", "0.3"]
        words += ["--shape", f"x={dims}"]
        row["steps"] = [[step["name"], round(step["us"], 2)] for step in json.loads(command(words))["steps"]]
    return row


def measure(args: argparse.Namespace, name: str, batch: int, precision: str) -> dict[str, Any]:
    dtype = DTYPES[precision]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model, x = networks.make(name, batch)
        networks.export(model, x, folder / "model.onnx", args.open_batch)
        row = build(args, folder / "model.onnx", folder / "model.engine", precision, "x".join(map(str, x.shape)))
        engine = Engine(args.prefix / "lib/libtenon-run.so", folder / "model.engine")
    exact, given = networks.on_gpu(model, x, torch.float32)
    wanted = exact(given).contiguous()
    y = torch.full_like(wanted, float("nan"))
    engine.bind(x.cuda(), y)
    engine.enqueue()
    torch.cuda.synchronize()
    row["max_rel_err"], row["cosine"] = errors(y, wanted)
    peer, given = networks.on_gpu(model, x, dtype)
    row["torch_max_rel_err"], row["torch_cosine"] = errors(peer(given), wanted)
    jobs: dict[str, Job] = {"tenon": engine.enqueue, "torch_eager": captured(lambda: peer(given))}
    if not args.no_compile:
        start = time.monotonic()
        try:
            torch._dynamo.reset()
            compiled = torch.compile(peer, dynamic=False)
            compiled(given)
            jobs["torch_compile"] = captured(lambda: compiled(given))
            row["compile_s"] = round(time.monotonic() - start, 1)
        except Exception as error:
            row["torch_compile_error"] = str(error)[:300]
    row.update(in_turns(jobs))
    engine.close()
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", type=Path, default=Path("build/release"), help="folder with bin/tenon and lib/libtenon-run.so")
    parser.add_argument("--only", action="append", default=[], choices=list(networks.NETWORKS))
    parser.add_argument("--batch", default="1,8,128")
    parser.add_argument("--precision", default="fp16", help="fp16, bf16, fp32, with commas")
    parser.add_argument("--timing-cache", help="file of kernel timings: builds choose by it and add to it")
    parser.add_argument("--no-tune", action="store_true", help="measure no kernels")
    parser.add_argument("--open-batch", action="store_true", help="the batch is no number in the ONNX file")
    parser.add_argument("--no-compile", action="store_true", help="of PyTorch, eager alone")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--seconds", type=float, default=450)
    parser.add_argument("--out", type=Path, default=Path("models.json"))
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    rows: list[dict[str, Any]] = json.loads(args.out.read_text()) if args.out.exists() else []
    done = {(row["model"], row["batch"], row["precision"], row.get("open_batch", False)) for row in rows}
    end = time.monotonic() + args.seconds
    failed = left = 0
    for precision in args.precision.split(","):
        for batch in map(int, args.batch.split(",")):
            for name in args.only or networks.NETWORKS:
                if (name, batch, precision, args.open_batch) in done:
                    continue
                if time.monotonic() > end:
                    left += 1
                    continue
                row: dict[str, Any] = {"model": name, "batch": batch, "precision": precision}
                if args.open_batch:
                    row["open_batch"] = True
                try:
                    with torch.cuda.stream(torch.cuda.Stream()):
                        row |= measure(args, name, batch, precision)
                except Exception as error:
                    row["error"] = f"{type(error).__name__}: {error}"[:900]
                    failed += 1
                row |= {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
                rows.append(row)
                print(json.dumps({key: value for key, value in row.items() if key != "steps"}), flush=True)
                args.out.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
                torch.cuda.empty_cache()
    print(f"{len(rows) - failed} rows, {failed} failed, {left} left")
    return 1 if failed or left else 0


if __name__ == "__main__":
    sys.exit(main())
