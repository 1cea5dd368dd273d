"""TensorRT's Python names over Tenon, so that existing scripts run unchanged, on the CPU.

A script that says `import tensorrt` gets this module after one of

    python -m tenon.tensorrt script.py arguments…
    import tenon.tensorrt_shim              (first thing in the script)
    tenon.tensorrt.install()

What differs from TensorRT: buffers are in host memory (bindings are addresses of host memory); a failure raises tenon.Error with
its reason where TensorRT returns None; settings without an effect here are named once, as a warning of the logger.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from tenon.tensorrt._builder import Builder, IBuilderConfig, INetworkDefinition, IOptimizationProfile, ITensor, OnnxParser, ParserError
from tenon.tensorrt._runtime import ICudaEngine, IExecutionContext, IHostMemory, Runtime
from tenon.tensorrt._types import (
    BuilderFlag,
    DataType,
    DeviceType,
    Dims,
    ILogger,
    Logger,
    MemoryPoolType,
    NetworkDefinitionCreationFlag,
    ProfilingVerbosity,
    TensorFormat,
    TensorIOMode,
    TensorLocation,
    bfloat16,
    bool,
    float16,
    float32,
    fp8,
    int4,
    int8,
    int32,
    int64,
    nptype,
    uint8,
    volume,
)

# The newest TensorRT whose names for what is here are all there.
__version__ = "8.6.1"

__all__ = [
    "Builder",
    "BuilderFlag",
    "DataType",
    "DeviceType",
    "Dims",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "ITensor",
    "Logger",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "ParserError",
    "ProfilingVerbosity",
    "Runtime",
    "TensorFormat",
    "TensorIOMode",
    "TensorLocation",
    "bfloat16",
    "bool",
    "float16",
    "float32",
    "fp8",
    "init_libnvinfer_plugins",
    "install",
    "int4",
    "int8",
    "int32",
    "int64",
    "nptype",
    "uint8",
    "volume",
]


def init_libnvinfer_plugins(logger: ILogger | None, namespace: str) -> int:
    """There are no plugins to register: operators are built in. Returns True."""
    return True


def install() -> None:
    """Makes `import tensorrt` give this module. Raises ImportError if another one is imported already."""
    present = sys.modules.get("tensorrt")
    if present is not None and present is not sys.modules[__name__]:
        raise ImportError("another module named tensorrt is imported already; install tenon.tensorrt before it")
    sys.modules["tensorrt"] = sys.modules[__name__]


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"tenon.tensorrt does not have TensorRT's {name!r} yet")
