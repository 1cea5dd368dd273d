"""Running engines: contexts and results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tenon import _core
from tenon.device import CPU, Stream, current_stream, device_name, lies_on_device, set_device_tensor, stream_handle
from tenon.dtypes import DType
from tenon.errors import InvalidArgumentError, NotFoundError
from tenon.info import TensorInfo
from tenon.values import Input, Output, from_value, set_tensor, to_value

if TYPE_CHECKING:
    from tenon.engine import Engine

# Where results lie.
Place: TypeAlias = Literal["host", "device"]


@dataclass(frozen=True)
class RunStats:
    """What a run moved. Copies within the device are those of tensors that are not aligned to 64 bytes."""

    copies_to_device: int
    bytes_to_device: int
    copies_to_host: int
    bytes_to_host: int
    copies_within_device: int
    bytes_within_device: int
    graphs: int  # CUDA graphs launched in place of single kernels: from the second run with the same addresses on


class Results(Mapping[str, Output]):
    """The outputs of one run, by name, in the engine's order. Arrays are the caller's to keep and to change."""

    def __init__(self, names: Sequence[str], values: Sequence[Output]) -> None:
        self._by_name = dict(zip(names, values, strict=True))

    def __getitem__(self, name: str) -> Output:
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(repr(known) for known in self._by_name)
            raise KeyError(f"there is no output {name!r}, there are: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"Results({self._by_name!r})"


class Context:
    """Runs an engine again and again, keeping its working memory. For one thread at a time."""

    def __init__(self, engine: Engine, *, stream: Stream | None = None, outputs: Place | None = None) -> None:
        self._engine = engine
        self._core = engine._core.create_context()
        self._given_stream = stream  # kept: its handle is valid as long as the object
        self._handle = None if stream is None else stream_handle(stream)
        self._outputs = outputs
        self._holds_inputs = False

    @property
    def engine(self) -> Engine:
        """The engine that it runs."""
        return self._engine

    @property
    def stream(self) -> int:
        """The handle of the stream that runs go to where no input says another; 0: the engine runs on the host alone."""
        return self._core.stream() if self._handle is None else self._handle

    @property
    def last_run(self) -> RunStats:
        """What the last run moved."""
        return RunStats(*self._core.stats())

    def __call__(self, *args: Input, outputs: Place | None = None, **inputs: Input) -> Results:
        """Runs. See Engine.__call__."""
        if outputs is not None and not (isinstance(outputs, str) and outputs in ("host", "device")):
            raise InvalidArgumentError(f"outputs lie on 'host' or 'device', got {outputs!r}; an input of that name is given in a mapping")
        self._let_go()
        waited = True
        try:
            values = self._values(args, inputs)
            on_device = [info.name for info in self._engine.inputs if info.is_tensor and lies_on_device(values[info.name])]
            stream = self._stream_of([values[name] for name in on_device])
            ordered = self._set_inputs(values, on_device, stream)
            resident = self._place_outputs(outputs or self._outputs or ("device" if on_device else "host"))
            if resident and len(on_device) == len(self._engine.inputs) and not self._engine.host_steps:
                self._core.enqueue(stream)
                waited = ordered
            elif stream:
                self._core.run_on(stream)
            else:
                self._core.run()
        finally:
            self._holds_inputs = not waited
            if waited:
                self._core.clear_inputs()  # an idle context does not hold on to the caller's arrays
        names = [info.name for info in self._engine.outputs]
        return Results(names, [from_value(self._core.output(i)) for i in range(len(names))])

    def synchronize(self) -> None:
        """Waits for all runs that were begun. Raises what went wrong in them."""
        self._core.synchronize()

    def output_shapes(self, *args: Input, **inputs: Input) -> dict[str, tuple[int, ...] | None]:
        """The shapes that the outputs would have, without running; None where only running decides."""
        self._show(args, inputs)
        return {info.name: self._core.output_shape(i) for i, info in enumerate(self._engine.outputs)}

    def memory(self, *args: Input, **inputs: Input) -> int:
        """Bytes of intermediate results for these inputs, without running."""
        self._show(args, inputs)
        return self._core.memory()[0]

    def _let_go(self) -> None:
        """Of inputs that a run on the device may still read: it has ended then."""
        if self._holds_inputs:
            self._core.synchronize()
            self._core.clear_inputs()
            self._holds_inputs = False

    def _show(self, args: tuple[Input, ...], inputs: dict[str, Input]) -> None:
        self._let_go()
        values = self._values(args, inputs)
        on_device = [info.name for info in self._engine.inputs if info.is_tensor and lies_on_device(values[info.name])]
        self._set_inputs(values, on_device, self._stream_of([values[name] for name in on_device]))

    def _values(self, args: tuple[Input, ...], inputs: dict[str, Input]) -> dict[str, Input]:
        """Every input by name. Raises for those that are missing, unknown or given twice."""
        declared = self._engine.inputs
        values = _by_name(declared, args, inputs)
        for info in declared:
            if info.name not in values:
                names = ", ".join(repr(known.name) for known in declared)
                raise InvalidArgumentError(f"input '{info.name}' ({info.type}) is missing; the inputs are: {names}")
        return values

    def _stream_of(self, on_device: Sequence[Any]) -> int:
        """Where a run with these inputs goes."""
        if self._handle is not None:
            return self._handle
        streams = (current_stream(value) for value in on_device)
        return next((stream for stream in streams if stream is not None), None) or self._core.stream()

    def _set_inputs(self, values: Mapping[str, Input], on_device: Sequence[str], stream: int) -> bool:
        """Returns whether nothing on the device needs to be kept until the run has ended."""
        ordered = True
        for index, info in enumerate(self._engine.inputs):
            value: Any = values[info.name]
            if not info.is_tensor:
                self._core.set_input_value(index, to_value(f"input '{info.name}'", value))
            elif info.name not in on_device:
                set_tensor(self._core, index, info.name, value, info.dtype)
            else:
                device = (int(value.__dlpack_device__()[0]), int(value.__dlpack_device__()[1]))
                if self._engine.device == device_name((CPU, 0)):
                    raise InvalidArgumentError(
                        f"input '{info.name}' lies on a device ({device_name(device)}), the plan '{self._engine.target}' runs on the host: "
                        f"load the engine with device=\"{device_name(device)}\", or copy it to the host first"
                    )
                ordered = set_device_tensor(self._core, index, info.name, value, info.dtype, stream) and ordered
        return ordered

    def _place_outputs(self, place: Place) -> bool:
        """Returns whether all outputs lie on the device: those that are no tensors of numbers never do."""
        kind = self._engine._core.device()[0] if place == "device" else CPU
        if place == "device" and kind == CPU:
            raise InvalidArgumentError(f"the outputs cannot lie on a device: the plan '{self._engine.target}' runs on the host")
        movable = [info.is_tensor and info.dtype is not DType.str for info in self._engine.outputs]
        for index, can_move in enumerate(movable):
            self._core.place_output(index, kind if can_move else CPU)
        return place == "device" and all(movable)


def _by_name(declared: Sequence[TensorInfo], args: tuple[Input, ...], inputs: dict[str, Input]) -> dict[str, Input]:
    if len(args) == 1 and not inputs and isinstance(args[0], Mapping) and declared and declared[0].is_tensor:
        inputs = dict(args[0])
        args = ()
    if len(args) > len(declared):
        raise InvalidArgumentError(f"{len(args)} inputs were given, the engine has {len(declared)}")
    values: dict[str, Input] = {info.name: value for info, value in zip(declared, args, strict=False)}
    for name, value in inputs.items():
        if name not in {info.name for info in declared}:
            names = ", ".join(repr(info.name) for info in declared)
            raise NotFoundError(f"the engine has no input '{name}', it has: {names}")
        if name in values:
            raise InvalidArgumentError(f"input '{name}' was given twice")
        values[name] = value
    return values
