"""Enums, the logger, and small helpers of the compatibility module. Numbers are those of TensorRT 8."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from tenon.dtypes import DType
from tenon.errors import UnsupportedError

_Self = TypeVar("_Self", bound="Closing")


class Closing:
    """Objects that TensorRT scripts use in `with` statements, where nothing is to be released."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        return None


class DataType(enum.Enum):
    """Element types by TensorRT's names."""

    FLOAT = 0
    HALF = 1
    INT8 = 2
    INT32 = 3
    BOOL = 4
    UINT8 = 5
    FP8 = 6
    BF16 = 7
    INT64 = 8
    INT4 = 9

    def __int__(self) -> int:
        return self.value

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return max(1, _TO_CORE[self].bits // 8)


float32, float16, int8, int32 = DataType.FLOAT, DataType.HALF, DataType.INT8, DataType.INT32
bool, uint8, fp8, bfloat16, int64, int4 = DataType.BOOL, DataType.UINT8, DataType.FP8, DataType.BF16, DataType.INT64, DataType.INT4

_TO_CORE = {
    DataType.FLOAT: DType.f32,
    DataType.HALF: DType.f16,
    DataType.INT8: DType.i8,
    DataType.INT32: DType.i32,
    DataType.BOOL: DType.bool,
    DataType.UINT8: DType.u8,
    DataType.FP8: DType.f8e4m3fn,
    DataType.BF16: DType.bf16,
    DataType.INT64: DType.i64,
    DataType.INT4: DType.i4,
}
_FROM_CORE = {core: dtype for dtype, core in _TO_CORE.items()}


def data_type_of(dtype: DType, what: str) -> DataType:
    """TensorRT's name of an element type. Raises UnsupportedError for types that TensorRT lacks."""
    found = _FROM_CORE.get(dtype)
    if found is None:
        raise UnsupportedError(f"{what} has element type {dtype.name}, for which TensorRT has no name; use tenon.Engine instead")
    return found


def nptype(trt_type: DataType) -> Any:
    """The NumPy type of an element type. Raises TypeError where NumPy has none."""
    core = _TO_CORE[trt_type]
    if core in (DType.bf16, DType.f8e4m3fn, DType.i4):
        raise TypeError(f"NumPy has no type for {trt_type.name}")
    return core.numpy.type if trt_type is not DataType.BOOL else np.bool_


def volume(shape: Iterable[int]) -> int:
    """The product of dims; negative if one of them is unknown."""
    out = 1
    for dim in shape:
        out *= dim
    return out


class Dims(tuple[int, ...]):
    """A shape; -1 stands for a dim that is known only at run time."""

    MAX_DIMS = 8

    def __new__(cls, shape: Sequence[int] = ()) -> Dims:
        return super().__new__(cls, tuple(shape))

    def numel(self) -> int:
        """The product of dims."""
        return volume(self)


class NetworkDefinitionCreationFlag(enum.IntEnum):
    EXPLICIT_BATCH = 0
    EXPLICIT_PRECISION = 1
    STRONGLY_TYPED = 2


class BuilderFlag(enum.IntEnum):
    FP16 = 0
    INT8 = 1
    DEBUG = 2
    GPU_FALLBACK = 3
    STRICT_TYPES = 4
    REFIT = 5
    DISABLE_TIMING_CACHE = 6
    TF32 = 7
    SPARSE_WEIGHTS = 8
    SAFETY_SCOPE = 9
    OBEY_PRECISION_CONSTRAINTS = 10
    PREFER_PRECISION_CONSTRAINTS = 11
    DIRECT_IO = 12
    REJECT_EMPTY_ALGORITHMS = 13
    ENABLE_TACTIC_HEURISTIC = 14
    VERSION_COMPATIBLE = 15
    EXCLUDE_LEAN_RUNTIME = 16
    FP8 = 17
    BF16 = 18


class MemoryPoolType(enum.IntEnum):
    WORKSPACE = 0
    DLA_MANAGED_SRAM = 1
    DLA_LOCAL_DRAM = 2
    DLA_GLOBAL_DRAM = 3
    TACTIC_DRAM = 4


class DeviceType(enum.IntEnum):
    GPU = 0
    DLA = 1


class ProfilingVerbosity(enum.IntEnum):
    LAYER_NAMES_ONLY = 0
    DEFAULT = 0
    NONE = 1
    DETAILED = 2
    VERBOSE = 2


class TensorIOMode(enum.IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class TensorLocation(enum.IntEnum):
    DEVICE = 0
    HOST = 1


class TensorFormat(enum.IntEnum):
    LINEAR = 0


class ILogger(Closing):
    """Base of loggers: a subclass defines log(severity, msg)."""

    class Severity(enum.IntEnum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    INTERNAL_ERROR = Severity.INTERNAL_ERROR
    ERROR = Severity.ERROR
    WARNING = Severity.WARNING
    INFO = Severity.INFO
    VERBOSE = Severity.VERBOSE

    def __init__(self) -> None:
        return None

    def log(self, severity: ILogger.Severity, msg: str) -> None:
        """Takes a message."""
        raise NotImplementedError("a logger must define log(severity, msg)")


class Logger(ILogger):
    """Writes messages of at least the given severity to standard error."""

    def __init__(self, min_severity: ILogger.Severity = ILogger.WARNING) -> None:
        super().__init__()
        self.min_severity = min_severity

    def log(self, severity: ILogger.Severity, msg: str) -> None:
        if severity <= self.min_severity:
            print(f"[TRT] [{severity.name[0]}] {msg}", file=sys.stderr)


def log_of(logger: ILogger | None) -> Callable[[int, str], object] | None:
    """The logger as the core wants it."""
    if logger is None:
        return None
    return lambda severity, message: logger.log(ILogger.Severity(severity), message)
