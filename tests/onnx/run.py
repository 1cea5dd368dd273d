#!/usr/bin/env python3
"""Runs the node cases of the onnx package against the positive list beside this script.

usage: run.py TENON [--cases DIR] [--target NAME] [--update] [more options of `tenon test`]

DIR holds the cases: the folder backend/test/data/node of the wheel onnx==1.21.0. Without --cases, it is looked for in the running
Python, in $VIRTUAL_ENV and in .venv of the repository; where it is not found, the exit code is 77 (skipped).

example: tests/onnx/run.py build/release/bin/tenon             a listed case that fails, or an unlisted one that passes, is an error
         tests/onnx/run.py build/release/bin/tenon --update    write the list anew; read the difference before committing it
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSION = "1.21.0"
SKIPPED = 77


def candidates() -> Iterator[Path]:
    spec = importlib.util.find_spec("onnx")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent
    for venv in (os.environ.get("VIRTUAL_ENV"), str(HERE.parent.parent / ".venv")):
        if venv:
            yield from Path(venv).glob("lib/python*/site-packages/onnx")


def find_cases() -> Path | None:
    """The cases of the wanted version; other versions have other cases."""
    for package in candidates():
        cases = package / "backend/test/data/node"
        if cases.is_dir() and (package.parent / f"onnx-{VERSION}.dist-info").is_dir():
            return cases
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenon", type=Path)
    parser.add_argument("--cases", type=Path, help="the folder of the node cases")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--update", action="store_true", help="write expect.txt")
    arguments, more = parser.parse_known_args()
    cases = arguments.cases or find_cases()
    if cases is None:
        print(f"no node cases: pip install onnx=={VERSION}, or --cases DIR")
        return SKIPPED
    expected = HERE / "expect.txt"
    command = [str(arguments.tenon), "test", str(cases), "--target", arguments.target, "--quiet"]
    command += ["--jobs", str(os.cpu_count() or 1), "--timeout", "60", *more]
    if not arguments.update:
        return subprocess.run([*command, "--list", str(expected)], check=False).returncode
    listed = ["--list", str(expected)] if expected.exists() else []  # the tolerances in it count
    subprocess.run([*command, *listed, "--write-list", str(expected)], stdout=subprocess.DEVNULL, check=False)
    print(f"wrote {expected}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
