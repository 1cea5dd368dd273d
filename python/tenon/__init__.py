"""Tenon turns ONNX models into optimised engines and runs them.

>>> import tenon
>>> engine = tenon.build("model.onnx")
>>> engine.save("model.engine")
>>> outputs = tenon.load("model.engine")(image)     # image: NumPy array, or anything with __dlpack__
>>> outputs["logits"]

On a GPU, tensors go in and out in its memory, on PyTorch's current stream:

>>> engine = tenon.load("model.engine", device="cuda:0")
>>> logits = torch.from_dlpack(engine(image_on_gpu)["logits"])
"""

from tenon._core import version as _version
from tenon.context import Context, Results, RunStats
from tenon.device import DeviceArray
from tenon.dtypes import DType
from tenon.engine import Engine, Log, Progress, Severity, build, load
from tenon.errors import (
    BadEngineError,
    CancelledError,
    Error,
    FileError,
    InternalError,
    InvalidArgumentError,
    InvalidModelError,
    NotFoundError,
    OutOfMemoryError,
    UnsupportedError,
)
from tenon.info import TensorInfo

__version__ = _version()

__all__ = [
    "BadEngineError",
    "CancelledError",
    "Context",
    "DType",
    "DeviceArray",
    "Engine",
    "Error",
    "FileError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidModelError",
    "Log",
    "NotFoundError",
    "OutOfMemoryError",
    "Progress",
    "Results",
    "RunStats",
    "Severity",
    "TensorInfo",
    "UnsupportedError",
    "__version__",
    "build",
    "load",
]
