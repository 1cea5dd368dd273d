"""Every error is a tenon.Error of a telling kind, with the core's message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tenon
from conftest import identity, model, node, value_info


def test_kinds_are_builtin_kinds_too() -> None:
    assert issubclass(tenon.InvalidArgumentError, ValueError)
    assert issubclass(tenon.NotFoundError, LookupError)
    assert issubclass(tenon.OutOfMemoryError, MemoryError)
    for name in tenon.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(tenon, name), tenon.Error)


def test_inputs(affine: tenon.Engine) -> None:
    x = np.ones((1, 3), np.float32)
    with pytest.raises(tenon.InvalidArgumentError, match=r"input 'x' \(f32\[n, 3\]\) is missing; the inputs are: 'x'"):
        affine()
    with pytest.raises(tenon.NotFoundError, match="no input 'z', it has: 'x'"):
        affine(z=x)
    with pytest.raises(tenon.InvalidArgumentError, match="given twice"):
        affine(x, x=x)
    with pytest.raises(tenon.InvalidArgumentError, match="2 inputs were given, the engine has 1"):
        affine(x, x)
    with pytest.raises(tenon.InvalidArgumentError, match=r"input 'x' must be f32 \(NumPy float32\), got float64"):
        affine(x.astype(np.float64))
    with pytest.raises(tenon.InvalidArgumentError, match="'x'"):
        affine(np.ones((1, 4), np.float32))
    with pytest.raises(tenon.InvalidArgumentError, match="'x'"):
        affine(np.ones(3, np.float32))
    with pytest.raises(tenon.InvalidArgumentError, match="must be a NumPy array or have __dlpack__, got object"):
        affine(object())
    with pytest.raises(tenon.InvalidArgumentError, match="cannot become an array of f32"):
        affine([["a"]])


def test_an_error_leaves_the_context_usable(affine: tenon.Engine) -> None:
    context = affine.create_context()
    with pytest.raises(tenon.InvalidArgumentError):
        context(np.ones((1, 4), np.float32))
    np.testing.assert_array_equal(context(np.ones((1, 3), np.float32))["s"], [[2, 2, 2]])


def test_results_name_what_there_is(affine: tenon.Engine) -> None:
    with pytest.raises(KeyError, match="'y', 's'"):
        affine(np.ones((1, 3), np.float32))["z"]


def test_models(tmp_path: Path) -> None:
    with pytest.raises(tenon.Error, match=r"nowhere\.onnx"):
        tenon.build(tmp_path / "nowhere.onnx")
    with pytest.raises(tenon.InvalidModelError):
        tenon.build(b"\x0a\xff\xff no model")
    unknown = model([node("Frobnicate", ["x"], ["y"])], [value_info("x", tenon.DType.f32, [1])], [value_info("y", tenon.DType.f32, [1])])
    with pytest.raises(tenon.Error, match="Frobnicate"):
        tenon.build(unknown)
    with pytest.raises(TypeError, match="fp32_mode"):
        tenon.build(unknown, fp32_mode=True)  # type: ignore[call-arg]
    with pytest.raises(tenon.Error, match="input 'x'"):
        tenon.build(identity(tenon.DType.f32), shapes={"x": (1, 2, 3)})


def test_engines(affine: tenon.Engine, tmp_path: Path) -> None:
    with pytest.raises(tenon.Error, match=r"nowhere\.engine"):
        tenon.load(tmp_path / "nowhere.engine")
    file = affine.serialize()
    for broken in (b"", b"not an engine", file[:100], file[: len(file) // 2]):
        with pytest.raises(tenon.BadEngineError):
            tenon.load(broken)
    with pytest.raises(tenon.NotFoundError, match="no plan for 'sm_90'"):
        tenon.load(file, target="sm_90")
    with pytest.raises(tenon.FileError, match="cannot write"):
        affine.save(tmp_path / "no" / "such" / "folder")
