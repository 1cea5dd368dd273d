"""Tenon turns ONNX models into optimised engines and runs them.

>>> import tenon
>>> engine = tenon.build("model.onnx")
>>> engine.save("model.engine")
>>> outputs = tenon.load("model.engine")(image)     # image: NumPy array, or anything with __dlpack__
>>> outputs["logits"]
"""

from tenon._core import version as _version
from tenon.dtypes import DType
from tenon.engine import Context, Engine, Log, Progress, Results, Severity, TensorInfo, build, load
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

__version__ = _version()

__all__ = [
    "BadEngineError",
    "CancelledError",
    "Context",
    "DType",
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
    "Severity",
    "TensorInfo",
    "UnsupportedError",
    "__version__",
    "build",
    "load",
]
