#!/usr/bin/env python3
"""Proves on this machine's GPU that kernels which begin before the one ahead has ended change no bit.

usage: determinism.py MODEL[=FLAGS]... [--tenon build/release/bin/tenon] [--runs 100] [--target cuda] [--timing-cache FILE] [--tune]
                      [--seconds 420] [--out FILE]

example: determinism.py resnet50.onnx "bert.onnx=--fp16 --shape ids=1x128" mobilenetv2.onnx --out determinism.json

Each model (an ONNX file; FLAGS go to `tenon build`) is built twice, as usual and as a stress build (--stress), with the same kernels: both
take the timings of one file. usual.engine,stress.engine as MODEL names two engines that are built already; NAME.graph.onnx is an exported
graph without weights, which the regrow.py beside it makes, as for tests/gpu/real_models.py. Three modes run --runs times each, with random
inputs of four seeds in turn:

  usual      as engines run
  plain      the same engine, no dependent launches (TENON_DEPENDENT=0)
  stress     the stress build: kernels begin as early as they may and sleep up to 100 us after their wait

All runs of all modes must give the same bits for a seed. Prints a JSON list, a row a model:

  {"model", "flags", "runs", "modes": {mode: {"different", "hashes", "seconds"}}, "same": bool} or {"model", "flags", "error"}

"different" counts runs that differ from the first of their mode and seed. Models that do not fit into --seconds are listed as errors.
Exit codes: 0 all the same, 1 not, 77 no GPU.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SKIPPED = 77


class Failure(Exception):
    """A command failed or took too long; the message says which."""


def call(command: list[str], until: float, env: dict[str, str] | None = None, may_differ: bool = False) -> str:
    """Standard output. `may_differ`: exit code 1 with an output is an answer."""
    left = until - time.monotonic()
    if left <= 0:
        raise Failure("no time is left")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=left, env={**os.environ, **(env or {})})
    except subprocess.TimeoutExpired:
        raise Failure(f"{command[1]} took longer than the {left:.0f} s that were left") from None
    if done.returncode != 0 and not (may_differ and done.returncode == 1 and done.stdout):
        raise Failure(f"{' '.join(command[:2])}: {done.stderr.strip()[-600:]}")
    return done.stdout


def grown(graph: Path, folder: Path) -> tuple[str, list[str]]:
    """An exported graph with weights, and the flags of its inputs' shapes."""
    real_models = importlib.import_module("real_models")
    import onnx

    regrow = real_models.load_regrow(graph.parent / "regrow.py")
    reference = graph.with_name(graph.name.replace(".graph.onnx", ".ref.npz"))
    model = real_models.with_head(graph, regrow, folder) if real_models.is_blank(reference) else regrow.load(str(graph))
    onnx.save(model, str(folder / "model.onnx"))
    shapes = [f"{name}={'x'.join(map(str, value.shape))}" for name, value in regrow.inputs(model, ref=str(reference)).items()]
    return str(folder / "model.onnx"), [word for shape in shapes for word in ("--shape", shape)]


def engines_of(args: argparse.Namespace, model: str, flags: list[str], folder: Path, until: float) -> dict[str, str]:
    if model.endswith(".engine"):
        usual, _, stress = model.partition(",")
        return {"usual": usual, "stress": stress}
    tuning = ["--timing-cache", args.timing_cache or str(folder / "timings.txt")] if args.tune or args.timing_cache else []
    tuning += [] if args.tune else ["--no-tune"]
    engines = {name: str(folder / f"{name}.engine") for name in ("usual", "stress")}
    for name, engine in engines.items():
        kind = ["--stress"] if name == "stress" else []
        call([args.tenon, "build", model, "-o", engine, "--target", args.target, *flags, *tuning, *kind], until)
    return engines


def prove(args: argparse.Namespace, model: str, flags: list[str], folder: Path, until: float) -> dict[str, Any]:
    if model.endswith(".graph.onnx"):
        model, sizes = grown(Path(model), folder)
        flags = [*flags, *sizes]
    engines = engines_of(args, model, flags, folder, until)
    shapes = [word for i, word in enumerate(flags) if "--shape" in (word, flags[i - 1] if i else "")]
    modes: dict[str, Any] = {}
    for mode, engine, env in (
        ("usual", engines["usual"], {}),
        ("plain", engines["usual"], {"TENON_DEPENDENT": "0"}),
        ("stress", engines["stress"], {}),
    ):
        start = time.monotonic()
        command = [args.tenon, "run", engine, "--target", args.target, "--repeat", str(args.runs), "--json", *shapes]
        answer = json.loads(call(command, until, env, may_differ=True))
        modes[mode] = {
            "different": answer["different"],
            "hashes": answer["hashes"],
            "seconds": round(time.monotonic() - start, 2),
        }
    hashes = [mode["hashes"] for mode in modes.values()]
    same = all(mode["different"] == 0 for mode in modes.values()) and all(row == hashes[0] for row in hashes)
    return {"runs": args.runs, "modes": modes, "same": same}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL[=FLAGS]")
    parser.add_argument("--tenon", default="build/release/bin/tenon")
    parser.add_argument("--target", default="cuda", help="what to build for and run on: this machine's GPU")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--timing-cache", help="file of kernel timings that both builds choose by")
    parser.add_argument("--tune", action="store_true", help="measure kernels that the file does not know")
    parser.add_argument("--seconds", type=float, default=420, help="end after so long, rows so far kept")
    parser.add_argument("--out", type=Path, help="file for the rows, beside standard output")
    args = parser.parse_args()
    until = time.monotonic() + args.seconds
    rows = []
    for text in args.models:
        model, _, words = text.partition("=")
        flags = words.split()
        row: dict[str, Any] = {"model": model, "flags": flags}
        with tempfile.TemporaryDirectory() as folder:
            try:
                row |= prove(args, model, flags, Path(folder), until)
            except Failure as failure:
                if "NVIDIA driver" in str(failure):
                    print(failure, file=sys.stderr)
                    return SKIPPED
                row["error"] = str(failure)
        rows.append(row)
        if args.out:
            args.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(json.dumps(rows, indent=1))
    return 0 if all(row.get("same") for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
