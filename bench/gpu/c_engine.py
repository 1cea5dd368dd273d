"""An engine through Tenon's C interface, on PyTorch's tensors: what a caller without Python's overhead has."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import torch

CUDA = 2  # TENON_DEVICE_CUDA
DTYPES = {torch.float32: 1, torch.int32: 6, torch.int64: 7, torch.float16: 10}


class LoadOptions(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("target", ctypes.c_char_p),
        ("verify_weights", ctypes.c_int32),
        ("borrow_memory", ctypes.c_int32),
        ("log", ctypes.c_void_p),
        ("log_user", ctypes.c_void_p),
        ("least_severity", ctypes.c_int),
        ("device", ctypes.c_char_p),
    ]


class Tensor(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("dtype", ctypes.c_int),
        ("rank", ctypes.c_int64),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("device_kind", ctypes.c_int),
        ("device_index", ctypes.c_int32),
    ]


def described(tensor: torch.Tensor) -> Tensor:
    assert tensor.is_contiguous() and tensor.is_cuda
    dims = (ctypes.c_int64 * tensor.dim())(*tensor.shape)
    size = tensor.numel() * tensor.element_size()
    return Tensor(ctypes.sizeof(Tensor), DTYPES[tensor.dtype], tensor.dim(), dims, tensor.data_ptr(), size, CUDA, 0)


class Engine:
    """One engine with one context; inputs and outputs lie in the GPU's memory."""

    def __init__(self, library: Path, engine: Path) -> None:
        self.lib = ctypes.CDLL(str(library))
        self.lib.tenon_last_error.restype = ctypes.c_char_p
        options = LoadOptions(size=ctypes.sizeof(LoadOptions), device=b"cuda:0")
        handle, self.context = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("tenon_engine_load_file", str(engine).encode(), ctypes.byref(options), ctypes.byref(handle))
        self.call("tenon_context_create", handle, ctypes.byref(self.context))
        self.engine = handle
        self.held: dict[str, torch.Tensor] = {}

    def call(self, function: str, *arguments: Any) -> None:
        if getattr(self.lib, function)(*arguments) != 0:
            raise RuntimeError(f"{function}: {self.lib.tenon_last_error().decode()}")

    def bind(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Input 0 and output 0."""
        self.held = {"x": x, "y": y}
        self.call("tenon_context_set_input_tensor", self.context, ctypes.c_int64(0), ctypes.byref(described(x)))
        self.call("tenon_context_set_output_tensor", self.context, ctypes.c_int64(0), ctypes.byref(described(y)))

    def enqueue(self) -> None:
        """A run on PyTorch's current stream, which must not be the default one."""
        if self.lib.tenon_context_enqueue(self.context, ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)) != 0:
            raise RuntimeError(self.lib.tenon_last_error().decode())

    def close(self) -> None:
        self.call("tenon_context_synchronize", self.context)
        self.lib.tenon_context_free(self.context)
        self.lib.tenon_engine_free(self.engine)
