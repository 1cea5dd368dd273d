"""Builder, network and parser of the compatibility module."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from tenon import _core
from tenon.engine import Engine
from tenon.errors import Error, InvalidArgumentError, UnsupportedError
from tenon.info import info_of
from tenon.tensorrt._runtime import ICudaEngine, IHostMemory
from tenon.tensorrt._types import BuilderFlag, Closing, DataType, Dims, ILogger, MemoryPoolType, data_type_of, log_of

# Flags that ask for a precision that Tenon does not lower a model to.
_MISSING_PRECISIONS = (BuilderFlag.INT8, BuilderFlag.FP8)
_PRECISIONS = {
    BuilderFlag.FP16: _core.Precision.FP16,
    BuilderFlag.BF16: _core.Precision.BF16,
    BuilderFlag.TF32: _core.Precision.TF32,
}


class IBuilderConfig(Closing):
    """Settings of a build. Those without an effect in Tenon are kept, and named in a warning when the engine is built."""

    _IGNORED: ClassVar[dict[str, Any]] = {
        "max_workspace_size": 0,
        "min_timing_iterations": 1,
        "avg_timing_iterations": 1,
        "builder_optimization_level": 3,
        "default_device_type": None,
        "DLA_core": -1,
        "profile_stream": 0,
        "profiling_verbosity": None,
        "max_aux_streams": 0,
        "engine_capability": None,
        "hardware_compatibility_level": None,
    }

    def __init__(self) -> None:
        self._flags: set[int] = set()
        self._settings: dict[str, Any] = {}
        self._pools: dict[int, int] = {}
        self._profiles: list[IOptimizationProfile] = []

    def __getattr__(self, name: str) -> Any:
        if name in IBuilderConfig._IGNORED:
            return self._settings.get(name, IBuilderConfig._IGNORED[name])
        if name == "int8_calibrator":
            return None
        raise AttributeError(f"IBuilderConfig of tenon.tensorrt does not have {name!r} yet")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in IBuilderConfig._IGNORED:
            self._settings[name] = value
        elif name == "int8_calibrator":
            if value is not None:
                raise UnsupportedError("tenon.tensorrt has no calibration yet: quantise the ONNX model with Q/DQ nodes instead")
        elif name.startswith("_") or name == "flags":
            super().__setattr__(name, value)
        else:
            raise AttributeError(f"IBuilderConfig of tenon.tensorrt does not have {name!r} yet")

    @property
    def flags(self) -> int:
        """The flags as bits."""
        return sum(1 << flag for flag in self._flags)

    @flags.setter
    def flags(self, bits: int) -> None:
        self._flags = {flag for flag in range(bits.bit_length()) if bits >> flag & 1}

    def set_flag(self, flag: BuilderFlag) -> None:
        self._flags.add(int(flag))

    def clear_flag(self, flag: BuilderFlag) -> None:
        self._flags.discard(int(flag))

    def get_flag(self, flag: BuilderFlag) -> bool:
        return int(flag) in self._flags

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self._pools[int(pool)] = pool_size
        self._settings["memory pool limits"] = True

    def get_memory_pool_limit(self, pool: MemoryPoolType) -> int:
        return self._pools.get(int(pool), 0)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """Kernels are chosen for the first profile's opt shapes; an engine runs every shape that the model allows. Returns its index."""
        self._profiles.append(profile)
        if len(self._profiles) > 1:
            self._settings["optimization profiles but the first"] = True
        return len(self._profiles) - 1

    def _opt_dims(self) -> dict[str, list[int]]:
        return {name: list(shapes[1]) for name, shapes in self._profiles[0]._shapes.items()} if self._profiles else {}

    def _precision(self) -> _core.Precision:
        """The narrowest that a flag allows."""
        return next((precision for flag, precision in _PRECISIONS.items() if flag in self._flags), _core.Precision.FP32)

    def _without_effect(self) -> list[str]:
        names = [name for name, value in self._settings.items() if value not in (None, IBuilderConfig._IGNORED.get(name))]
        for flag in sorted(self._flags - _PRECISIONS.keys()):
            known = BuilderFlag(flag).name if flag in set(BuilderFlag) else f"flag {flag}"
            names.append(f"{known} (the engine computes in the model's own types)" if flag in _MISSING_PRECISIONS else known)
        return names


class IOptimizationProfile(Closing):
    """Shapes of inputs. Of a profile opt has an effect: no shape needs one."""

    def __init__(self) -> None:
        self._shapes: dict[str, list[Dims]] = {}

    def set_shape(self, input: str, min: Sequence[int], opt: Sequence[int], max: Sequence[int]) -> bool:
        self._shapes[input] = [Dims(min), Dims(opt), Dims(max)]
        return True

    def get_shape(self, input: str) -> list[Dims]:
        return self._shapes.get(input, [])


class ITensor(Closing):
    """An input or an output of a network."""

    def __init__(self, network: INetworkDefinition, raw: _core.TensorInfo, is_input: bool) -> None:
        self._network = network
        self._info = info_of(raw)
        self._is_input = is_input

    @property
    def name(self) -> str:
        return self._info.name

    @property
    def dtype(self) -> DataType:
        return data_type_of(self._info.dtype, f"'{self.name}'")

    @property
    def shape(self) -> Dims:
        """Dims; -1 for those known only at run time. Setting it on an input fixes them."""
        fixed = self._network._fixed_shapes.get(self.name) if self._is_input else None
        if fixed is not None:
            return Dims(fixed)
        if self._info.shape is None:
            raise UnsupportedError(f"the rank of '{self.name}' ({self._info.type}) is known only at run time")
        return Dims([dim if isinstance(dim, int) else -1 for dim in self._info.shape])

    @shape.setter
    def shape(self, shape: Sequence[int]) -> None:
        if not self._is_input:
            raise InvalidArgumentError(f"'{self.name}' is an output, its shape follows from the inputs")
        if -1 in shape:
            return  # stays as dynamic as the model says
        self._network._fixed_shapes[self.name] = [int(dim) for dim in shape]

    @property
    def is_network_input(self) -> bool:
        return self._is_input

    @property
    def is_network_output(self) -> bool:
        return not self._is_input


class INetworkDefinition(Closing):
    """A network that OnnxParser fills."""

    def __init__(self) -> None:
        self.name = "Unnamed Network 0"
        self._model: bytes | None = None
        self._folder = "."
        self._core = _core.Network()
        self._fixed_shapes: dict[str, list[int]] = {}

    def _parse(self, model: bytes, folder: str, logger: ILogger | None) -> None:
        self._core.parse(model, folder, {}, log_of(logger))
        self._model, self._folder = model, folder

    def _to_build(self, logger: ILogger | None) -> _core.Network:
        """The network with the shapes that were set since it was parsed."""
        if self._model is None:
            raise InvalidArgumentError("the network is empty: no model was parsed into it, or parsing failed (see OnnxParser.get_error)")
        if not self._fixed_shapes:
            return self._core
        network = _core.Network()
        network.parse(self._model, self._folder, self._fixed_shapes, log_of(logger))
        return network

    @property
    def num_inputs(self) -> int:
        return len(self._core.inputs())

    @property
    def num_outputs(self) -> int:
        return len(self._core.outputs())

    @property
    def num_layers(self) -> int:
        return self._core.layer_count()

    @property
    def has_implicit_batch_dimension(self) -> bool:
        return False

    def get_input(self, index: int) -> ITensor:
        return ITensor(self, self._core.inputs()[index], True)

    def get_output(self, index: int) -> ITensor:
        return ITensor(self, self._core.outputs()[index], False)

    def mark_output(self, tensor: ITensor) -> None:
        """Outputs of the model are marked already."""
        if not tensor.is_network_output:
            raise UnsupportedError(f"tenon.tensorrt cannot make '{tensor.name}' an output yet: only the model's own outputs are")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("add_"):
            raise UnsupportedError(f"tenon.tensorrt has no INetworkDefinition.{name} yet: parse an ONNX model instead")
        raise AttributeError(f"INetworkDefinition of tenon.tensorrt does not have {name!r} yet")


class ParserError:
    """One thing that is wrong with a model."""

    def __init__(self, text: str) -> None:
        self._text = text

    def desc(self) -> str:
        """What is wrong, and in which node."""
        return self._text

    def code(self) -> int:
        return 8  # kUNSUPPORTED_NODE

    def node(self) -> int:
        return -1

    def file(self) -> str:
        return ""

    def line(self) -> int:
        return 0

    def func(self) -> str:
        return ""

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


class OnnxParser(Closing):
    """Fills a network from ONNX."""

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network = network
        self._logger = logger
        self._errors: list[ParserError] = []

    def parse(self, model: bytes, path: str | None = None) -> bool:
        """Reads a model from its bytes. External data is looked for beside `path`. False: see num_errors and get_error."""
        self._errors = []
        try:
            self._network._parse(bytes(model), os.path.dirname(path) if path else ".", self._logger)  # noqa: PTH120
        except Error as error:
            lines = self._network._core.errors or [str(error)]
            self._errors = [ParserError(line) for line in lines]
            self._logger.log(ILogger.ERROR, str(error))
            return False
        return True

    def parse_from_file(self, model: str) -> bool:
        """Reads a model from a file."""
        try:
            with open(model, "rb") as file:  # noqa: PTH123
                data = file.read()
        except OSError as error:
            self._errors = [ParserError(f"cannot read '{model}': {error.strerror}")]
            return False
        return self.parse(data, model)

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def clear_errors(self) -> None:
        self._errors = []


class Builder(Closing):
    """Builds engines."""

    def __init__(self, logger: ILogger) -> None:
        self.logger = logger
        self.max_batch_size = 1
        self.max_threads = 0
        self._named: set[str] = set()

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        """A network for OnnxParser to fill. The batch is always a dim of its own."""
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    @property
    def platform_has_fast_fp16(self) -> bool:
        return False

    @property
    def platform_has_fast_int8(self) -> bool:
        return False

    @property
    def platform_has_tf32(self) -> bool:
        return False

    @property
    def num_DLA_cores(self) -> int:
        return 0

    def is_network_supported(self, network: INetworkDefinition, config: IBuilderConfig) -> bool:
        return network._model is not None

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory:
        """The bytes of an engine file. Raises tenon.Error where TensorRT returns None."""
        return IHostMemory(bytes(self._build(network, config)))

    def build_engine(self, network: INetworkDefinition, config: IBuilderConfig) -> ICudaEngine:
        """Builds and loads. Raises tenon.Error where TensorRT returns None."""
        file = self._build(network, config)
        engine = Engine(_core.Engine.deserialize(file, None, None, False, log_of(self.logger)))
        return ICudaEngine(engine, self.logger, self.max_batch_size)

    def build_engine_with_config(self, network: INetworkDefinition, config: IBuilderConfig) -> ICudaEngine:
        return self.build_engine(network, config)

    def _build(self, network: INetworkDefinition, config: IBuilderConfig) -> _core.HostMemory:
        settings = config._without_effect()
        if self.max_batch_size != 1:
            settings.insert(0, "max_batch_size")
        new = [name for name in settings if name not in self._named]
        self._named.update(new)
        if new:
            self.logger.log(ILogger.WARNING, f"settings without an effect in Tenon: {', '.join(new)}")
        network_to_build = network._to_build(self.logger)
        log = log_of(self.logger)
        return _core.build(network_to_build, ["cpu"], config._precision(), False, True, "", config._opt_dims(), [], log, None)
