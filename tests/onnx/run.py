#!/usr/bin/env python3
"""Runs cases of the ONNX standard against the positive lists beside this script.

usage: run.py TENON [--cases DIR | --suite FILE] [--target NAME] [--update] [more options of `tenon test`]

DIR holds the node cases: the folder backend/test/data/node of the wheel onnx==1.21.0. Without --cases, it is looked for in the running
Python, in $VIRTUAL_ENV and in .venv of the repository; where it is not found, the exit code is 77 (skipped). Their list is expect.txt.
FILE is a tar archive of <kind>/<case>/ folders (node cases of older opsets, simple, pytorch-converted, pytorch-operator) and of light
models; its list is expect_suite.txt. A case on no list stands in exceptions.txt or exceptions_suite.txt with the reason.

example: tests/onnx/run.py build/release/bin/tenon             a listed case that fails, or an unlisted one that passes, is an error
         tests/onnx/run.py build/release/bin/tenon --update    write the list anew; read the difference before committing it
         tests/onnx/run.py build/release/bin/tenon --suite ../shared/suites/onnx-backend-tests.tar.xz
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
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


def read_names(path: Path) -> dict[str, str]:
    """The first word of each line, and what follows it."""
    rows: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            rows[name] = rest.strip()
    return rows


def unexplained(cases: Path, expected: Path) -> list[str]:
    """What is wrong with the list of exceptions."""
    reasons = HERE / expected.name.replace("expect", "exceptions")
    listed, exceptions = read_names(expected), read_names(reasons)
    there = {path.name for path in cases.iterdir() if path.is_dir()}
    wrong = [f"{name} stands neither in {expected.name} nor in {reasons.name}" for name in sorted(there - set(listed) - set(exceptions))]
    wrong += [f"{name} stands in {expected.name} and in {reasons.name}" for name in sorted(there & set(listed) & set(exceptions))]
    wrong += [f"{name} stands in {reasons.name}, but there is no such case" for name in sorted(set(exceptions) - there)]
    return wrong + [f"{name}: {reasons.name} says no reason" for name, reason in exceptions.items() if not reason]


def make_light(light: Path, folder: Path) -> None:
    """Cases of models whose weights are constants: the input is 0, 1/n, 2/n, …, as onnx's own runner makes it."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    for model in sorted(light.glob("*.onnx")):
        data = folder / model.stem / "test_data_set_0"
        data.mkdir(parents=True)
        model.rename(folder / model.stem / "model.onnx")
        (light / f"{model.stem}_output_0.pb").rename(data / "output_0.pb")
        graph = onnx.load(folder / model.stem / "model.onnx").graph
        weights = {tensor.name for tensor in graph.initializer} | {name for node in graph.node for name in node.output}
        inputs = [value for value in graph.input if value.name not in weights]
        for i, value in enumerate(inputs):
            dims = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
            count = int(np.prod(dims))
            tensor = numpy_helper.from_array((np.arange(count) / count).reshape(dims).astype(np.float32), value.name)
            (data / f"input_{i}.pb").write_bytes(tensor.SerializeToString())


def unpack(suite: Path, folder: Path) -> None:
    """The cases of all kinds side by side."""
    with tarfile.open(suite) as archive:
        archive.extractall(folder / "kinds")
    for kind in sorted((folder / "kinds").iterdir()):
        if kind.name == "light":
            make_light(kind, folder)
        for case in sorted(kind.iterdir()):
            if (case / "model.onnx").exists():
                case.rename(folder / case.name)
    shutil.rmtree(folder / "kinds")


def run(tenon: Path, cases: Path, expected: Path, update: bool, more: list[str]) -> int:
    command = [str(tenon), "test", str(cases), "--quiet", "--jobs", str(os.cpu_count() or 1), "--timeout", "60", *more]
    if update:
        listed = ["--list", str(expected)] if expected.exists() else []  # the tolerances in it count
        subprocess.run([*command, *listed, "--write-list", str(expected)], stdout=subprocess.DEVNULL, check=False)
        print(f"wrote {expected}")
    wrong = unexplained(cases, expected)
    for line in wrong:
        print(f"error: {line}")
    status = 0 if update else subprocess.run([*command, "--list", str(expected)], check=False).returncode
    return status or (1 if wrong else 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenon", type=Path)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--cases", type=Path, help="the folder of the node cases")
    source.add_argument("--suite", type=Path, help="a tar archive of cases")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--update", action="store_true", help="write the list")
    arguments, more = parser.parse_known_args()
    more += ["--target", arguments.target]
    if arguments.suite is not None:
        with tempfile.TemporaryDirectory() as scratch:
            unpack(arguments.suite, Path(scratch))
            return run(arguments.tenon, Path(scratch), HERE / "expect_suite.txt", arguments.update, more)
    cases = arguments.cases or find_cases()
    if cases is None:
        print(f"no node cases: pip install onnx=={VERSION}, or --cases DIR")
        return SKIPPED
    return run(arguments.tenon, cases, HERE / "expect.txt", arguments.update, more)


if __name__ == "__main__":
    sys.exit(main())
