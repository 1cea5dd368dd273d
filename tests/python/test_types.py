"""Element types, DLPack, and values that are no tensors."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import tenon
from conftest import identity, model, node, value_info
from tenon.dtypes import pack, unpack

HAS_ML_DTYPES = importlib.util.find_spec("ml_dtypes") is not None
HAS_TORCH = importlib.util.find_spec("torch") is not None


@pytest.mark.parametrize("name", ["f32", "f64", "f16", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool"])
def test_numpy_types(name: str) -> None:
    dtype = tenon.DType[name]
    x = np.array([[0, 1, 2], [3, 4, 1]]).astype(dtype.numpy)
    y = tenon.build(identity(dtype))(x)["y"]
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(x, y)


def test_bfloat16() -> None:
    engine = tenon.build(identity(tenon.DType.bf16))
    bits = np.array([[0x3F80, 0x4000, 0xC000]], np.uint16)  # 1, 2, -2
    y = engine(bits)["y"]
    np.testing.assert_array_equal(y.view(np.uint16), bits)
    if HAS_ML_DTYPES:
        import ml_dtypes

        assert y.dtype == ml_dtypes.bfloat16
        np.testing.assert_array_equal(engine(np.array([[1, 2, -2]], ml_dtypes.bfloat16))["y"].astype(np.float32), [[1, 2, -2]])


@pytest.mark.parametrize("name", ["u4", "i4", "u2", "i2"])
def test_sub_byte_integers(name: str) -> None:
    dtype = tenon.DType[name]
    low, high = (0, 1 << dtype.bits) if name[0] == "u" else (-(1 << dtype.bits - 1), 1 << dtype.bits - 1)
    x = np.arange(low, high).astype(dtype.numpy)[:15]
    np.testing.assert_array_equal(unpack(dtype, pack(dtype, x), x.shape), x)


def test_strings() -> None:
    engine = tenon.build(identity(tenon.DType.str, ["n"]))
    for x in (np.array(["one", "zwölf", ""], object), np.array(["one", "zwölf", ""])):
        y = engine(x)["y"]
        assert y.dtype == object
        assert y.tolist() == ["one", "zwölf", ""]


def test_sequences() -> None:
    built = model(
        [node("SequenceConstruct", ["a", "b"], ["s"])],
        [value_info("a", tenon.DType.f32, [2]), value_info("b", tenon.DType.f32, [3])],
        [b"\n\x01s"],  # only a name: its type is inferred
    )
    out = tenon.build(built)(np.ones(2, np.float32), np.zeros(3, np.float32))["s"]
    assert isinstance(out, list)
    np.testing.assert_array_equal(out[0], [1, 1])
    np.testing.assert_array_equal(out[1], [0, 0, 0])


def test_scalars() -> None:
    engine = tenon.build(identity(tenon.DType.f32, []))
    for x in (2.5, np.float32(2.5), np.array(2.5, np.float32)):
        y = engine(x)["y"]
        assert y.shape == ()
        assert y == 2.5


class Foreign:
    """An array of another library: all that is known of it is DLPack."""

    def __init__(self, array: np.ndarray, device: tuple[int, int] = (1, 0)) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


def test_dlpack(affine: tenon.Engine) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(affine(Foreign(x))["s"], x + x)
    np.testing.assert_array_equal(affine(Foreign(x.T.copy().T))["s"], x + x)
    with pytest.raises(tenon.InvalidArgumentError, match="input 'x' must be f32"):
        affine(Foreign(x.astype(np.int64)))
    with pytest.raises(tenon.InvalidArgumentError, match="copy it to the host"):
        affine(Foreign(x, device=(2, 0)))


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
def test_torch(affine: tenon.Engine) -> None:
    import torch

    x = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    np.testing.assert_array_equal(affine(x)["s"], (x + x).numpy())
    np.testing.assert_array_equal(affine(x.T.contiguous().T)["s"], (x + x).numpy())
    np.testing.assert_array_equal(affine(x.clone().requires_grad_())["s"], (x + x).numpy())
    back = torch.from_dlpack(affine(x)["s"])
    assert torch.equal(back, x + x)
    half = tenon.build(identity(tenon.DType.bf16))
    y = half(x.bfloat16())["y"]
    np.testing.assert_array_equal(y.view(np.uint16), x.bfloat16().view(torch.uint16).numpy())
