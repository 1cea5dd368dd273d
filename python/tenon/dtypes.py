"""Element types: ONNX's, their names in Tenon, and the NumPy dtypes that carry them.

Types that NumPy lacks (bf16, the floats of 8 and 6 bits) are those of ml_dtypes where it is installed, else unsigned integers of the same
size that hold the bits. Sub-byte integers are int8 or uint8 in arrays, one element each; f4e2m1 is uint8, one element each.
"""

from __future__ import annotations

import enum
import functools
import types
from typing import Any

import numpy as np
import numpy.typing as npt


class DType(enum.IntEnum):
    """An element type, numbered as ONNX numbers them."""

    none = 0
    f32 = 1
    u8 = 2
    i8 = 3
    u16 = 4
    i16 = 5
    i32 = 6
    i64 = 7
    str = 8
    bool = 9
    f16 = 10
    f64 = 11
    u32 = 12
    u64 = 13
    c64 = 14
    c128 = 15
    bf16 = 16
    f8e4m3fn = 17
    f8e4m3fnuz = 18
    f8e5m2 = 19
    f8e5m2fnuz = 20
    u4 = 21
    i4 = 22
    f4e2m1 = 23
    f8e8m0 = 24
    u2 = 25
    i2 = 26
    f6e2m3 = 27
    f6e3m2 = 28

    @property
    def bits(self) -> int:
        """Bits of one element where it lies packed; 0 for none and str."""
        return _BITS.get(self, 0)

    @property
    def numpy(self) -> np.dtype[Any]:
        """The dtype of arrays that Tenon returns for this type."""
        return _numpy_dtype(self)

    @classmethod
    def of(cls, dtype: npt.DTypeLike) -> DType:
        """The element type of a NumPy dtype. Raises TypeError where there is none."""
        found = _by_numpy_name().get(np.dtype(dtype).name)
        if found is None:
            raise TypeError(f"NumPy dtype {np.dtype(dtype).name!r} is no element type of ONNX")
        return found


_NUMPY_NAMES = {
    DType.f32: "float32",
    DType.u8: "uint8",
    DType.i8: "int8",
    DType.u16: "uint16",
    DType.i16: "int16",
    DType.i32: "int32",
    DType.i64: "int64",
    DType.bool: "bool",
    DType.f16: "float16",
    DType.f64: "float64",
    DType.u32: "uint32",
    DType.u64: "uint64",
    DType.c64: "complex64",
    DType.c128: "complex128",
}
_ML_NAMES = {
    DType.bf16: "bfloat16",
    DType.f8e4m3fn: "float8_e4m3fn",
    DType.f8e4m3fnuz: "float8_e4m3fnuz",
    DType.f8e5m2: "float8_e5m2",
    DType.f8e5m2fnuz: "float8_e5m2fnuz",
    DType.f8e8m0: "float8_e8m0fnu",
    DType.f6e2m3: "float6_e2m3fn",
    DType.f6e3m2: "float6_e3m2fn",
}
_SUB_BYTE = {DType.u4: "uint8", DType.i4: "int8", DType.u2: "uint8", DType.i2: "int8", DType.f4e2m1: "uint8"}
_BITS = {dtype: np.dtype(name).itemsize * 8 for dtype, name in _NUMPY_NAMES.items()}
_BITS |= {dtype: 16 if dtype is DType.bf16 else 8 for dtype in _ML_NAMES}
_BITS |= {DType.u4: 4, DType.i4: 4, DType.f4e2m1: 4, DType.u2: 2, DType.i2: 2}


@functools.cache
def _ml_dtypes() -> types.ModuleType | None:
    try:
        import ml_dtypes
    except ImportError:
        return None
    return ml_dtypes


@functools.cache
def _numpy_dtype(dtype: DType) -> np.dtype[Any]:
    if dtype in _NUMPY_NAMES:
        return np.dtype(_NUMPY_NAMES[dtype])
    if dtype in _SUB_BYTE:
        return np.dtype(_SUB_BYTE[dtype])
    if dtype in _ML_NAMES:
        scalar = getattr(_ml_dtypes(), _ML_NAMES[dtype], None)
        return np.dtype(scalar) if scalar is not None else np.dtype(np.uint16 if dtype.bits == 16 else np.uint8)
    return np.dtype(object)


@functools.cache
def _by_numpy_name() -> dict[str, DType]:
    return {name: dtype for table in (_NUMPY_NAMES, _ML_NAMES) for dtype, name in table.items()}


def carried_by(dtype: DType, array: npt.NDArray[Any]) -> bool:
    """Whether the elements of an array can stand for `dtype`: its own NumPy dtype, or the integers that hold its bits."""
    if array.dtype == dtype.numpy:
        return True
    return dtype in _ML_NAMES and array.dtype == np.dtype(np.uint16 if dtype.bits == 16 else np.uint8)


def pack(dtype: DType, array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Elements of a sub-byte type, one in each byte, as packed bytes: low bits first."""
    per_byte = 8 // dtype.bits
    flat = array.astype(np.uint8).reshape(-1) & ((1 << dtype.bits) - 1)
    flat = np.concatenate([flat, np.zeros(-flat.size % per_byte, np.uint8)]).reshape(-1, per_byte)
    shifts = np.arange(per_byte, dtype=np.uint8) * dtype.bits
    packed: npt.NDArray[np.uint8] = np.bitwise_or.reduce(flat << shifts, axis=1).astype(np.uint8)
    return packed


def unpack(dtype: DType, packed: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The opposite of pack()."""
    per_byte = 8 // dtype.bits
    shifts = np.arange(per_byte, dtype=np.uint8) * dtype.bits
    bits: npt.NDArray[np.uint8] = ((packed[:, None] >> shifts) & ((1 << dtype.bits) - 1)).astype(np.uint8)
    flat = bits.reshape(-1)[: int(np.prod(shape))].reshape(shape)
    if dtype.numpy != np.int8:
        return flat
    shift = 8 - dtype.bits  # the sign bit is the type's highest
    signed: npt.NDArray[np.int8] = (flat << np.uint8(shift)).view(np.int8) >> np.int8(shift)
    return signed
