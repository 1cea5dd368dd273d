"""Arrays in a device's memory, and the streams that work on them is put on."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tenon import _core
from tenon.dtypes import DType, unpack
from tenon.errors import InvalidArgumentError

# DLPack's numbers of devices.
CPU, CUDA, CUDA_HOST, MOCK = 1, 2, 3, 12
_NAMES = {CPU: "cpu", CUDA: "cuda", MOCK: "mock"}
# CUDA's handle of the legacy default stream, which DLPack uses in place of 0.
_LEGACY = 1

# A stream: its handle as a number, or an object of PyTorch (cuda_stream), CuPy (ptr) or another library (__cuda_stream__).
Stream: TypeAlias = Any


def device_name(device: tuple[int, int]) -> str:
    """ "cuda:0" of DLPack's (2, 0)."""
    kind, index = device
    name = _NAMES.get(kind, f"device kind {kind}")
    return name if kind == CPU else f"{name}:{index}"


def stream_handle(stream: Stream) -> int:
    """The number of a stream. Raises InvalidArgumentError for what is none."""
    protocol = getattr(stream, "__cuda_stream__", None)
    if callable(protocol):
        handle = protocol()[1]
    elif isinstance(stream, int):
        handle = stream
    else:
        handle = getattr(stream, "cuda_stream", getattr(stream, "ptr", None))
    if not isinstance(handle, int):
        raise InvalidArgumentError(f"{stream!r} is no stream: give its handle, or an object of PyTorch or CuPy")
    return handle or _LEGACY


def lies_on_device(value: object) -> bool:
    """Whether an input lies in memory that the host cannot touch."""
    if isinstance(value, np.ndarray | np.generic) or not hasattr(value, "__dlpack_device__"):
        return False
    return int(value.__dlpack_device__()[0]) not in (CPU, CUDA_HOST)


def current_stream(value: Any) -> int | None:
    """The stream that an array's library puts work on now; None: it has none that is known here."""
    library = type(value).__module__.partition(".")[0]
    if library == "torch":
        return stream_handle(sys.modules["torch"].cuda.current_stream(value.device))
    if library == "cupy":
        return stream_handle(sys.modules["cupy"].cuda.get_current_stream())
    return None


class DeviceArray:
    """A tensor in the memory of a GPU: dense, row-major.

    Libraries that speak DLPack read it in place, without a copy: `torch.from_dlpack(array)`. The memory lives as long as this object or
    any array made from it, and is used again only behind the work that their streams have by then.
    """

    def __init__(self, value: _core.Value) -> None:
        self._value = value

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dims."""
        return self._value.shape

    @property
    def ndim(self) -> int:
        """Their number."""
        return len(self.shape)

    @property
    def dtype(self) -> DType:
        """The type of its elements."""
        return DType(self._value.dtype)

    @property
    def device(self) -> str:
        """Where it lies: "cuda:0"."""
        return device_name(self._value.device)

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's numbers of the device: (2, 0) for "cuda:0"."""
        return self._value.device

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule over the memory, in DLPack's protocol (sub-byte elements: packed, as bytes).

        stream: what the consumer reads it on: that stream waits for the run that the array comes from. None: CUDA's legacy default
        stream; -1: the consumer sees to the order itself. dl_device (1, 0): a copy in host memory. Raises BufferError for what the
        protocol does not have, and where a copy is asked for.
        """
        if dl_device is not None and (int(dl_device[0]), int(dl_device[1])) != self._value.device:
            if int(dl_device[0]) != CPU or copy is False:
                raise BufferError(f"the array lies on {self.device}, it is not moved to {device_name(dl_device)}")
            return self.numpy().__dlpack__()
        if copy:
            raise BufferError("the array is given as it is, without a copy")
        if stream is None:
            if self._value.device[0] != CUDA:
                raise BufferError(f"an array on {self.device} is given to a stream: say which")
            stream = _LEGACY
        if stream == 0:
            raise BufferError("the stream 0 may mean two of CUDA's: 1 is the legacy default stream, 2 the thread's own")
        if stream != -1:
            self._value.use_on(stream)
        return self._value.capsule()

    def numpy(self) -> npt.NDArray[Any]:
        """A copy in host memory, as a NumPy array; waits for the run that the array comes from."""
        raw = self._value.to_host().array()
        return unpack(self.dtype, raw, self.shape) if self.dtype.bits < 8 else raw.view(self.dtype.numpy)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        raise TypeError(f"the array lies on {self.device}: numpy() copies it to the host")

    def __repr__(self) -> str:
        return f"<tenon.DeviceArray {self.dtype.name}{list(self.shape)} on {self.device}>"


def set_device_tensor(context: _core.Context, index: int, name: str, value: Any, dtype: DType, stream: int) -> bool:
    """Gives an input its elements in device memory, behind what their library has on its own stream.

    Returns whether someone sees to it that the memory outlives the work on `stream`; if not, the context must keep the input so long.
    """
    if isinstance(value, DeviceArray):
        context.set_input_value(index, value._value)
        return True
    by_torch = type(value).__module__.partition(".")[0] == "torch"
    if by_torch:
        value = value.detach().contiguous()
        value.record_stream(_torch_stream(stream, value.device))
    context.set_input_capsule(index, value.__dlpack__(stream=stream), int(dtype), name)
    return by_torch


def _torch_stream(handle: int, device: Any) -> Any:
    cuda = sys.modules["torch"].cuda
    if handle == _LEGACY:
        return cuda.default_stream(device)
    current = cuda.current_stream(device)
    return current if current.cuda_stream == handle else cuda.ExternalStream(handle, device=device)
