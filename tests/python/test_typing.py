"""The package is typed: mypy --strict accepts it and a program that uses it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from conftest import DIGITS, ROOT, run_python

PROGRAM = """
import numpy as np
import tenon

engine: tenon.Engine = tenon.build("m.onnx", targets=["cpu"], progress=lambda stage, share: None)
names: list[str] = [info.name for info in engine.inputs]
results: tenon.Results = engine(np.zeros(3, np.float32), other=[1.0, 2.0])
loaded: tenon.Engine = tenon.load("m.engine", device="cuda:0")
there: tenon.DeviceArray = loaded.to_device(np.zeros(3, np.float32))
context: tenon.Context = loaded.create_context(stream=1, outputs="device")
moved: int = context.last_run.copies_to_device
names = [*loaded.host_steps, loaded.device]
context(there, outputs="host")
"""


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    config = ["--strict", "--config-file", ROOT / "pyproject.toml", "--cache-dir", tmp_path]
    package = run_python("-m", "mypy", *config, cwd=ROOT)
    assert package.returncode == 0, package.stdout
    users = run_python("-m", "mypy", *config, program, DIGITS / "digits.py", cwd=ROOT)
    assert users.returncode == 0, users.stdout
