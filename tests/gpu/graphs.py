#!/usr/bin/env python3
"""Runs exported graphs on this machine's GPU: outputs against stored ones, then the time of the device alone.

usage: graphs.py --tenon build/release/bin/tenon --graphs FOLDER [--precision fp32,tf32,fp16] [--times 8] [--only NAME]...
                 [--timing-cache FILE] [--no-tune] [--out graphs.json]

FOLDER holds <model>.<exporter>.{graph.onnx,recipe.json,ref.npz} and regrow.py, which makes their weights and inputs. A row per model and
precision goes to the file as soon as it is there, so a run that was cut off goes on with what is missing.

Engines are built for the inputs' shapes, as the peers are. --times N repeats each input N times along its first dim; each of the N outputs
is compared then. Errors are max|a-b| / max|b| of the worst output. A model whose stored outputs are
all zero (the weights of its head are, as before a training) says nothing about what runs before them: it gets a head of small weights, and
the portable plan on the CPU gives the outputs to compare with. Times are medians of `tenon bench --resident`: inputs and outputs in the
GPU's memory, 50 runs after another between waits.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx


def load_regrow(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("regrow", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare(outputs: Path, reference: Path, times: int) -> tuple[float, float]:
    """The worst relative error and the least cosine of all outputs; stored ones hold every k-th element of one of `times` equal parts."""
    worst, least = 0.0, 1.0
    with np.load(outputs, allow_pickle=False) as got, np.load(reference, allow_pickle=False) as stored:
        for key in stored.files:
            if not key.startswith("out:"):
                continue
            want = stored[key].ravel().astype(np.float64)
            for whole in np.split(got[key.removeprefix("out:")].ravel().astype(np.float64), times):
                have = whole[:: max(1, whole.size // 2048)][:2048]
                if have.size != want.size:
                    return float("inf"), 0.0
                worst = max(worst, float(np.max(np.abs(have - want)) / max(float(np.max(np.abs(want))), 1e-30)))
                norms = float(np.linalg.norm(have) * np.linalg.norm(want))
                least = min(least, float(np.dot(have, want)) / norms if norms else 1.0)
    return (worst, least) if np.isfinite(worst) else (float("inf"), 0.0)


def is_blank(reference: Path) -> bool:
    with np.load(reference, allow_pickle=False) as stored:
        return not any(np.any(stored[key]) for key in stored.files if key.startswith("out:"))


def with_head(graph: Path, regrow: Any, folder: Path) -> Any:
    """The model, its matrices of zeros grown like the others."""
    recipe = json.loads(graph.with_name(graph.name.replace(".graph.onnx", ".recipe.json")).read_text())
    for row in recipe.values():
        if len(row["dims"]) > 1 and row["mean"] == 0 and row["std"] == 0:
            row["std"] = max(row["dims"]) ** -0.5
    copy = folder / "blank.graph.onnx"
    copy.write_bytes(graph.read_bytes())
    (folder / "blank.recipe.json").write_text(json.dumps(recipe))
    return regrow.load(str(copy))


def portable_outputs(tenon: str, regrow: Any, folder: Path) -> Path:
    """The reference's outputs for folder/model.onnx in the form of stored ones."""
    outputs, reference = folder / "portable.npz", folder / "reference.npz"
    command = [tenon, "run", str(folder / "model.onnx"), "--target", "portable"]
    done = run([*command, "--input", str(folder / "inputs.npz"), "--save-outputs", str(outputs)])
    if done.returncode != 0:
        raise SystemExit(f"the portable plan fails: {done.stderr.strip()[-600:]}")
    with np.load(outputs, allow_pickle=False) as values:
        np.savez(reference, **{f"out:{name}": regrow.sample(values[name]) for name in values.files})
    if is_blank(reference):
        raise SystemExit("the outputs are zero still: nothing to compare with")
    return reference


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def measure(tenon: str, model: Path, inputs: Path, reference: Path, times: int, flags: list[str], folder: Path) -> dict[str, Any]:
    engine, outputs = folder / "model.engine", folder / "outputs.npz"
    shapes: list[str] = []
    with np.load(inputs, allow_pickle=False) as values:
        for name in values.files:
            shapes += ["--shape", f"{name}={'x'.join(map(str, values[name].shape))}"]
    start = time.time()
    done = run([tenon, "build", str(model), "-o", str(engine), "--target", "cuda", *shapes, *flags])
    if done.returncode != 0:
        return {"error": done.stderr.strip()[-600:]}
    row: dict[str, Any] = {"build_s": round(time.time() - start, 2)}
    plan = run([tenon, "inspect", str(engine), "--plan"]).stdout
    steps = re.findall(r"^\s+\d+ @(\d) .*?  (\w+)\{", plan, re.M)
    row["kernels"] = sum(device == "1" and kind != "transfer" for device, kind in steps)
    row["host_steps"] = sum(device == "0" for device, kind in steps)
    row["host_kinds"] = sorted({kind for device, kind in steps if device == "0"})
    done = run([tenon, "run", str(engine), "--device", "cuda", "--input", str(inputs), "--save-outputs", str(outputs)])
    if done.returncode != 0:
        return {**row, "error": done.stderr.strip()[-600:]}
    row["max_rel_err"], row["cosine"] = compare(outputs, reference, times)
    done = run([tenon, "bench", str(engine), "--device", "cuda", "--resident", "--json", "--seconds", "1", *shapes])
    if done.returncode == 0:
        row["tenon_ms"] = json.loads(done.stdout)["p50_us"] / 1e3
    else:
        row["bench_error"] = done.stderr.strip()[-300:]
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenon", default="build/release/bin/tenon")
    parser.add_argument("--graphs", type=Path, required=True)
    parser.add_argument("--precision", default="fp32,fp16")
    parser.add_argument("--times", type=int, default=1, help="repeat each input so often along its first dim")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--timing-cache", help="file of kernel timings: builds choose by it and add to it")
    parser.add_argument("--no-tune", action="store_true", help="measure no kernels")
    parser.add_argument("--out", type=Path, default=Path("graphs.json"))
    args = parser.parse_args()
    regrow = load_regrow(args.graphs / "regrow.py")
    rows = json.loads(args.out.read_text()) if args.out.exists() else []
    done = {(row["model"], row["precision"], row["times"]) for row in rows}
    for graph in sorted(args.graphs.glob("*.graph.onnx")):
        name = graph.name.removesuffix(".graph.onnx")
        wanted = [p for p in args.precision.split(",") if (name, p, args.times) not in done]
        if not wanted or (args.only and name not in args.only):
            continue
        reference = args.graphs / f"{name}.ref.npz"
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            blank = is_blank(reference)
            model = with_head(graph, regrow, folder) if blank else regrow.load(str(graph))
            values = regrow.inputs(model, ref=str(reference))
            onnx.save(model, str(folder / "model.onnx"))
            np.savez(folder / "inputs.npz", **values)
            if blank:
                reference = portable_outputs(args.tenon, regrow, folder)
            if args.times > 1:
                values = {key: np.repeat(value, args.times, axis=0) for key, value in values.items()}
                np.savez(folder / "inputs.npz", **values)
            batch = next(iter(values.values())).shape[0]
            for precision in wanted:
                flags = [] if precision == "fp32" else [f"--{precision}"]
                flags += ["--timing-cache", args.timing_cache] if args.timing_cache else []
                flags += ["--no-tune"] if args.no_tune else []
                try:
                    row = measure(args.tenon, folder / "model.onnx", folder / "inputs.npz", reference, args.times, flags, folder)
                except subprocess.TimeoutExpired:
                    row = {"error": "took longer than 300 s"}
                rows.append({"model": name, "batch": int(batch), "times": args.times, "precision": precision, **row})
                print(json.dumps(rows[-1]), flush=True)
                args.out.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
