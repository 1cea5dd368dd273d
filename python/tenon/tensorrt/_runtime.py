"""Runtime, engine and context of the compatibility module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tenon import _core
from tenon.dtypes import DType
from tenon.engine import Engine, load
from tenon.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from tenon.info import TensorInfo
from tenon.tensorrt._types import (
    Closing,
    DataType,
    Dims,
    ILogger,
    TensorFormat,
    TensorIOMode,
    TensorLocation,
    data_type_of,
    log_of,
)


class IHostMemory(bytes, Closing):
    """The bytes of an engine file."""

    @property
    def nbytes(self) -> int:
        """Their number."""
        return len(self)

    @property
    def dtype(self) -> DataType:
        """Bytes."""
        return DataType.INT8


class Runtime(Closing):
    """Loads engines."""

    def __init__(self, logger: ILogger) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine:
        """An engine from its bytes. Raises tenon.Error where TensorRT returns None."""
        return ICudaEngine(load(bytes(serialized_engine), log=log_of(self.logger)), self.logger)


class ICudaEngine(Closing):
    """A loaded engine. Bindings are numbered inputs first, then outputs, each in the model's order."""

    def __init__(self, engine: Engine, logger: ILogger, max_batch_size: int = 1) -> None:
        self._engine = engine
        self._logger = logger
        self.max_batch_size = max_batch_size
        self._bindings = (*engine.inputs, *engine.outputs)

    # Bindings by number

    @property
    def num_bindings(self) -> int:
        """Inputs and outputs."""
        return len(self._bindings)

    def __len__(self) -> int:
        return len(self._bindings)

    def __iter__(self) -> Iterator[str]:
        return (info.name for info in self._bindings)

    def __getitem__(self, which: int | str) -> Any:
        """The name of a number, the number of a name."""
        if isinstance(which, str):
            return self.get_binding_index(which)
        return self._at(which).name

    def _at(self, index: int) -> TensorInfo:
        if not -len(self._bindings) <= index < len(self._bindings):
            raise IndexError(f"binding {index} of {len(self._bindings)}")
        return self._bindings[index]

    def _find(self, which: int | str) -> TensorInfo:
        return self._at(self.get_binding_index(which) if isinstance(which, str) else which)

    def get_binding_index(self, name: str) -> int:
        """The number of a name. Raises tenon.NotFoundError."""
        for index, info in enumerate(self._bindings):
            if info.name == name:
                return index
        names = ", ".join(repr(info.name) for info in self._bindings)
        raise NotFoundError(f"the engine has no binding '{name}', it has: {names}")

    def get_binding_name(self, index: int) -> str:
        return self._at(index).name

    def get_binding_shape(self, which: int | str) -> Dims:
        """Dims; -1 for those known only at run time."""
        return self.get_tensor_shape(self._find(which).name)

    def get_binding_dtype(self, which: int | str) -> DataType:
        return self.get_tensor_dtype(self._find(which).name)

    def binding_is_input(self, which: int | str) -> bool:
        return self._find(which) in self._engine.inputs

    def is_execution_binding(self, which: int | str) -> bool:
        return self._find(which) is not None

    def is_shape_binding(self, which: int | str) -> bool:
        return self._find(which) is None

    def get_location(self, which: int | str) -> TensorLocation:
        self._find(which)
        return TensorLocation.HOST

    # Tensors by name

    @property
    def num_io_tensors(self) -> int:
        return len(self._bindings)

    def get_tensor_name(self, index: int) -> str:
        return self._at(index).name

    def get_tensor_shape(self, name: str) -> Dims:
        info = self._find(name)
        if info.shape is None:
            raise UnsupportedError(f"the rank of '{name}' ({info.type}) is known only at run time; use tenon.Engine instead")
        return Dims([dim if isinstance(dim, int) else -1 for dim in info.shape])

    def get_tensor_dtype(self, name: str) -> DataType:
        return data_type_of(self._find(name).dtype, f"'{name}'")

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if self.binding_is_input(name) else TensorIOMode.OUTPUT

    def get_tensor_location(self, name: str) -> TensorLocation:
        return self.get_location(name)

    def get_tensor_format(self, name: str) -> TensorFormat:
        self._find(name)
        return TensorFormat.LINEAR

    # The rest

    @property
    def has_implicit_batch_dimension(self) -> bool:
        """Never: the batch is a dim like others."""
        return False

    @property
    def num_optimization_profiles(self) -> int:
        return 1

    @property
    def device_memory_size(self) -> int:
        """Working memory is the context's own."""
        return 0

    @property
    def tenon(self) -> Engine:
        """The engine underneath."""
        return self._engine

    def serialize(self) -> IHostMemory:
        return IHostMemory(self._engine.serialize())

    def create_execution_context(self, strategy: object = None) -> IExecutionContext:
        return IExecutionContext(self)


class IExecutionContext(Closing):
    """Runs an engine on buffers in host memory."""

    def __init__(self, engine: ICudaEngine) -> None:
        self.engine = engine
        self.name = ""
        self.active_optimization_profile = 0
        self._core: _core.Context = engine._engine._core.create_context()
        self._inputs = engine._engine.inputs
        self._outputs = engine._engine.outputs
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}

    def execute(self, batch_size: int = 1, bindings: Sequence[int] = ()) -> bool:
        """Runs on `bindings`: the addresses of host buffers, dense and row-major, inputs first, then outputs.

        A leading dim that only the run decides is batch_size, unless set_binding_shape says otherwise. Returns True; raises
        tenon.Error where TensorRT returns False.
        """
        return self._run(list(bindings), batch_size)

    def execute_v2(self, bindings: Sequence[int]) -> bool:
        """execute() without a batch size: every dim must be known."""
        return self._run(list(bindings), None)

    def execute_async(
        self, batch_size: int = 1, bindings: Sequence[int] = (), stream_handle: int = 0, input_consumed: object = None
    ) -> bool:
        """As execute(): the CPU has no streams, so the results are there on return."""
        return self.execute(batch_size, bindings)

    def execute_async_v2(self, bindings: Sequence[int], stream_handle: int = 0, input_consumed: object = None) -> bool:
        """As execute_v2()."""
        return self.execute_v2(bindings)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.engine.get_binding_index(name)
        self._addresses[name] = int(address)
        return True

    def get_tensor_address(self, name: str) -> int:
        return self._addresses.get(name, 0)

    def execute_async_v3(self, stream_handle: int = 0) -> bool:
        """Runs on the addresses that set_tensor_address gave."""
        missing = [name for name in self.engine if name not in self._addresses]
        if missing:
            raise InvalidArgumentError(f"set_tensor_address has not been called for: {', '.join(missing)}")
        return self._run([self._addresses[name] for name in self.engine], None)

    def set_binding_shape(self, binding: int, shape: Sequence[int]) -> bool:
        """The dims that an input has in the next runs."""
        return self.set_input_shape(self.engine.get_binding_name(binding), shape)

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        if not self.engine.binding_is_input(name):
            raise InvalidArgumentError(f"'{name}' is an output, its shape follows from the inputs")
        self._shapes[name] = tuple(int(dim) for dim in shape)
        return True

    def get_binding_shape(self, binding: int) -> Dims:
        return self.get_tensor_shape(self.engine.get_binding_name(binding))

    def get_tensor_shape(self, name: str) -> Dims:
        """Dims with the input shapes set now; -1 for those that are not decided yet."""
        if self.engine.binding_is_input(name):
            return Dims(self._shapes.get(name, self.engine.get_tensor_shape(name)))
        if any(-1 in self.get_tensor_shape(info.name) for info in self._inputs):
            return self.engine.get_tensor_shape(name)
        one_byte = bytearray(64)  # shapes follow from dims alone; nothing is read from this address
        address = _address_of(one_byte)
        for index, info in enumerate(self._inputs):
            self._core.set_input_address(index, address, int(info.dtype), list(self.get_tensor_shape(info.name)))
        shape = self._core.output_shape(self.engine.get_binding_index(name) - len(self._inputs))
        return self.engine.get_tensor_shape(name) if shape is None else Dims(shape)

    @property
    def all_binding_shapes_specified(self) -> bool:
        return all(-1 not in self.get_tensor_shape(info.name) for info in self._inputs)

    def _input_dims(self, info: TensorInfo, batch_size: int | None) -> list[int]:
        dims = list(self.get_tensor_shape(info.name))
        if dims and dims[0] == -1 and batch_size is not None:
            dims[0] = batch_size
        if -1 in dims:
            raise InvalidArgumentError(
                f"input '{info.name}' has the shape {tuple(dims)}, whose -1 only the caller knows: call "
                f"set_binding_shape({self.engine.get_binding_index(info.name)}, …) or set_input_shape('{info.name}', …) first"
            )
        return dims

    def _run(self, bindings: list[int], batch_size: int | None) -> bool:
        if len(bindings) != len(self.engine):
            raise InvalidArgumentError(f"{len(bindings)} bindings were given, the engine has {len(self.engine)}: {', '.join(self.engine)}")
        for index, info in enumerate(self._inputs):
            _check_tensor(info)
            self._core.set_input_address(index, int(bindings[index]), int(info.dtype), self._input_dims(info, batch_size))
        for index, info in enumerate(self._outputs):
            _check_tensor(info)
            shape = self._core.output_shape(index)
            if shape is None:
                raise UnsupportedError(f"the size of output '{info.name}' is known only after the run; use tenon.Engine instead")
            elems = 1
            for dim in shape:
                elems *= dim
            self._core.set_output_address(index, int(bindings[len(self._inputs) + index]), (elems * info.dtype.bits + 7) // 8)
        self._core.run()
        return True


def _check_tensor(info: TensorInfo) -> None:
    if not info.is_tensor or info.dtype is DType.str:
        raise UnsupportedError(f"'{info.name}' is {info.type}, which no buffer holds; use tenon.Engine instead")


def _address_of(buffer: bytearray) -> int:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
