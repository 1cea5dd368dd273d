"""From Python objects to values of the core, and back."""

from __future__ import annotations

import sys
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from tenon import _core
from tenon.device import CPU, CUDA_HOST, DeviceArray, device_name
from tenon.dtypes import DType, carried_by, pack, unpack
from tenon.errors import InvalidArgumentError

_SEQUENCE, _OPTIONAL, _MAP = 1, 2, 3


@runtime_checkable
class SupportsDLPack(Protocol):
    """An array of any library that speaks DLPack, in host memory or that of the engine's device."""

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...


# What an input may be: an array, numbers that become one, or, for inputs that are no tensors, a list, None or a dict.
Input: TypeAlias = "npt.ArrayLike | SupportsDLPack | list[Any] | dict[Any, Any] | None"
# What an output is: a NumPy array or a DeviceArray, or a list, None or a dict of arrays.
Output: TypeAlias = Any


def _describe(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _from_dlpack(name: str, value: SupportsDLPack) -> npt.NDArray[Any]:
    """A NumPy array over the memory of a DLPack object; without a copy where it is contiguous."""
    device = value.__dlpack_device__()
    if int(device[0]) not in (CPU, CUDA_HOST):
        where = device_name((int(device[0]), int(device[1])))
        raise InvalidArgumentError(f"{name} lies on a device ({where}); copy it to the host first")
    detach = getattr(value, "detach", None)  # PyTorch refuses to export tensors that require gradients
    source = detach() if callable(detach) else value
    try:
        return np.from_dlpack(source)
    except (BufferError, RuntimeError, TypeError) as error:
        # NumPy has no bfloat16; PyTorch's tensors can be viewed as integers of the same size.
        view = _bits_of_torch(source)
        if view is None:
            raise InvalidArgumentError(f"{name}: {_describe(value)} cannot be read through DLPack: {error}") from error
        return view


def _bits_of_torch(value: Any) -> npt.NDArray[Any] | None:
    if type(value).__module__.partition(".")[0] != "torch":
        return None
    torch = sys.modules["torch"]
    kinds = {
        torch.bfloat16: (torch.uint16, DType.bf16),
        torch.float8_e4m3fn: (torch.uint8, DType.f8e4m3fn),
        torch.float8_e5m2: (torch.uint8, DType.f8e5m2),
    }
    found = kinds.get(value.dtype)
    if found is None:
        return None
    bits: npt.NDArray[Any] = np.from_dlpack(value.contiguous().view(found[0]))
    return bits.view(found[1].numpy)


def to_array(name: str, value: object, dtype: DType) -> npt.NDArray[Any]:
    """A contiguous NumPy array whose elements are those of `dtype`. Numbers and lists are converted, arrays are not."""
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
    elif isinstance(value, SupportsDLPack):
        array = _from_dlpack(name, value)
    elif isinstance(value, bool | int | float | complex | str | bytes | list | tuple):
        try:
            array = np.asarray(value, dtype=object if dtype is DType.str else dtype.numpy)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidArgumentError(f"{name} cannot become an array of {dtype.name}: {error}") from error
    else:
        raise InvalidArgumentError(f"{name} must be a NumPy array or have __dlpack__, got {_describe(value)}")
    if dtype is DType.str:
        if array.dtype.kind not in "OSU":
            raise InvalidArgumentError(f"{name} must be an array of strings, got {array.dtype.name}")
        return array
    if not carried_by(dtype, array):
        raise InvalidArgumentError(f"{name} must be {dtype.name} (NumPy {dtype.numpy.name}), got {array.dtype.name}")
    return np.require(array, requirements=["C", "A"])


def _raw(dtype: DType, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same memory under a dtype that the extension reads."""
    if 0 < dtype.bits < 8:
        return pack(dtype, array)
    if array.dtype.isbuiltin != 1:  # one of ml_dtypes
        return array.view(np.uint16 if array.dtype.itemsize == 2 else np.uint8)
    return array


def set_tensor(context: _core.Context, index: int, name: str, value: object, dtype: DType) -> None:
    """Gives a tensor input its elements. Errors name the input."""
    array = to_array(f"input '{name}'", value, dtype)
    if dtype is DType.str:
        context.set_input_value(index, _strings(array))
    else:
        context.set_input(index, _raw(dtype, array), int(dtype), list(array.shape))


def refit_arguments(name: str, value: object, dtype: DType) -> tuple[npt.NDArray[Any], int, list[int]]:
    """What _core.Engine.refit takes after the weight's name."""
    array = to_array(f"weight '{name}'", value, dtype)
    return _raw(dtype, array), int(dtype), list(array.shape)


def _strings(array: npt.NDArray[Any]) -> _core.Value:
    texts = [t if isinstance(t, bytes) else str(t).encode("utf-8", "surrogateescape") for t in array.reshape(-1).tolist()]
    return _core.Value.strings(list(array.shape), texts)


def to_value(name: str, value: object) -> _core.Value:
    """A value of any kind: list → sequence, None → empty optional, dict → map, all else a tensor of its own type."""
    if isinstance(value, list | tuple):
        return _core.Value.compound(_SEQUENCE, [to_value(f"{name}[{i}]", item) for i, item in enumerate(value)])
    if value is None:
        return _core.Value.compound(_OPTIONAL, [])
    if isinstance(value, dict):
        keys = list(value)
        texts = all(isinstance(key, str) for key in keys)
        array = np.asarray(keys, dtype=object if texts else np.int64)
        values = [to_value(f"{name}[{key!r}]", item) for key, item in value.items()]
        return _core.Value.compound(_MAP, [to_value(name, array), _core.Value.compound(_SEQUENCE, values)])
    array = np.asarray(value) if not isinstance(value, SupportsDLPack) else _from_dlpack(name, value)
    dtype = DType.str if array.dtype.kind in "OSU" else DType.of(array.dtype)
    array = to_array(name, array, dtype)
    if dtype is DType.str:
        return _strings(array)
    return _core.Value.tensor(_raw(dtype, array), int(dtype), list(array.shape))


def from_value(value: _core.Value) -> Output:
    """NumPy array or DeviceArray (over the value's memory), list, None or dict."""
    if value.kind == _SEQUENCE:
        return [from_value(item) for item in value.items()]
    if value.kind == _OPTIONAL:
        items = value.items()
        return from_value(items[0]) if items else None
    if value.kind == _MAP:
        keys, values = value.items()
        return dict(zip(from_value(keys).tolist(), from_value(values), strict=True))
    dtype = DType(value.dtype)
    if dtype is DType.str:
        array = np.empty(value.shape, dtype=object)
        array.reshape(-1)[:] = [text.decode("utf-8", "surrogateescape") for text in value.texts()]
        return array
    if value.device[0] != CPU:
        return DeviceArray(value)
    raw = value.array()
    return unpack(dtype, raw, value.shape) if dtype.bits < 8 else raw.view(dtype.numpy)
