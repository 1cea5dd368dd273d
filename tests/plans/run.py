#!/usr/bin/env python3
"""Compares the plans of the small models with the golden texts beside this script: a refactor changes none.

example: tests/plans/run.py build/release/bin/tenon                     compare the plans for the CPU
         tests/plans/run.py build/release/bin/tenon --target sm_90      and those for an H100, which needs NVRTC and no GPU
         tests/plans/run.py build/release/bin/tenon --target sm_90 --update    write them anew; read the difference before committing it

Texts for a GPU lie in a folder of its name: tactics, geometry and launch modes, not the names of kernels, which follow from their code.
Exit codes: 0 all the same, 1 not, 77 NVRTC is missing.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = [ROOT / "samples/digits/digits.onnx", *sorted((ROOT / "tests/models/small").glob("*/model.onnx"))]
SKIPPED = 77
# Sizes of inputs for a GPU, as models are built that are to be fast. Other symbols stay, and all of SYMBOLIC.
SIZES = {"batch": 2, "length": 8, "height": 16, "width": 16}
SYMBOLIC = {"digits"}


def shapes_of(tenon: str, model: Path) -> list[str]:
    """Options that give the symbols of the inputs their sizes."""
    shown = subprocess.run([tenon, "inspect", str(model), "--json"], check=True, capture_output=True, text=True).stdout
    out = []
    for row in json.loads(shown)["inputs"]:
        dims = [str(SIZES.get(dim, dim)) for dim in row["type"].split("[")[1].rstrip("]").split(", ")]
        if all(dim.isdigit() for dim in dims):
            out += ["--shape", f"{row['name']}={'x'.join(dims)}"]
    return out


def plan_of(tenon: str, target: str, model: Path, folder: Path, shapes: list[str]) -> str:
    """The plan's text, and a check that two builds give the same bytes."""
    files = [folder / "first.engine", folder / "second.engine"]
    for file in files:
        command = [tenon, "build", str(model), "-o", str(file), "--target", target, "--no-tune", *shapes]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if "NVRTC, which compiles kernels, was not found" in done.stderr:
            print(done.stderr.strip().splitlines()[-1])
            raise SystemExit(SKIPPED)
        if done.returncode != 0:
            raise SystemExit(f"{model}: {done.stderr}")
    if files[0].read_bytes() != files[1].read_bytes():
        raise SystemExit(f"{model}: two builds give different bytes")
    shown = subprocess.run([tenon, "inspect", str(files[0]), "--plan"], check=True, capture_output=True, text=True).stdout
    return re.sub(r" kernel=k[0-9a-f]{16} by ", " kernel by ", shown)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenon", help="the tenon program")
    parser.add_argument("--target", default="cpu", help="whose plans")
    parser.add_argument("--update", action="store_true", help="write the golden texts anew")
    args = parser.parse_args()
    texts = HERE if args.target == "cpu" else HERE / args.target
    failed = 0
    for model in MODELS:
        name = model.stem if model.stem != "model" else model.parent.name
        golden = texts / f"{name}.txt"
        shapes = [] if args.target == "cpu" or name in SYMBOLIC else shapes_of(args.tenon, model)
        with tempfile.TemporaryDirectory() as folder:
            text = plan_of(args.tenon, args.target, model, Path(folder), shapes)
        if args.update:
            texts.mkdir(exist_ok=True)
            golden.write_text(text)
            continue
        wanted = golden.read_text() if golden.exists() else ""
        same = text == wanted
        print(f"{'pass' if same else 'FAIL'} {name}")
        if not same:
            failed += 1
            sys.stdout.writelines(list(difflib.unified_diff(wanted.splitlines(True), text.splitlines(True), str(golden), "now"))[:40])
    print(f"{len(MODELS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
