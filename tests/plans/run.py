#!/usr/bin/env python3
"""Compares the plans of the small models with the golden texts beside this script: a refactor changes none.

example: tests/plans/run.py build/release/bin/tenon            compare
         tests/plans/run.py build/release/bin/tenon --update   write them anew; read the difference before committing it
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = [ROOT / "samples/digits/digits.onnx", *sorted((ROOT / "tests/models/small").glob("*/model.onnx"))]


def plan_of(tenon: str, model: Path, folder: Path) -> str:
    """The plan's text, and a check that two builds give the same bytes."""
    files = [folder / "first.engine", folder / "second.engine"]
    for file in files:
        subprocess.run([tenon, "build", str(model), "-o", str(file)], check=True, stdout=subprocess.DEVNULL)
    if files[0].read_bytes() != files[1].read_bytes():
        raise SystemExit(f"{model}: two builds give different bytes")
    return subprocess.run([tenon, "inspect", str(files[0]), "--plan"], check=True, capture_output=True, text=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenon", help="the tenon program")
    parser.add_argument("--update", action="store_true", help="write the golden texts anew")
    args = parser.parse_args()
    failed = 0
    for model in MODELS:
        name = model.stem if model.stem != "model" else model.parent.name
        golden = HERE / f"{name}.txt"
        with tempfile.TemporaryDirectory() as folder:
            text = plan_of(args.tenon, model, Path(folder))
        if args.update:
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
