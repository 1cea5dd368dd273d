"""Building, loading and running engines."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tenon import _core
from tenon.dtypes import DType
from tenon.errors import FileError, InvalidArgumentError, NotFoundError
from tenon.values import Input, Output, from_value, refit_arguments, set_tensor, to_value


class Severity(enum.IntEnum):
    """How bad a message is."""

    internal_error = 0
    error = 1
    warning = 2
    info = 3
    verbose = 4


# log(severity, message): replaces what goes to standard error otherwise (warnings and worse).
Log: TypeAlias = Callable[[Severity, str], object]
# progress(stage, share): share goes from 0 to 1; returning False cancels the build.
Progress: TypeAlias = Callable[[str, float], object]


@dataclass(frozen=True)
class TensorInfo:
    """An input, an output or a weight of an engine."""

    name: str
    dtype: DType  # none: no tensor, see type
    shape: tuple[int | str, ...] | None  # numbers, and texts for sizes known only at run time; None: the rank is unknown
    type: str  # "f32[batch, 3]", "seq(f32[...])"

    @property
    def is_tensor(self) -> bool:
        """Whether it is a tensor, and no sequence, optional or map."""
        return self.dtype is not DType.none


def _info(raw: _core.TensorInfo) -> TensorInfo:
    shape = tuple(text if dim < 0 else dim for dim, text in zip(raw.dims, raw.dim_texts, strict=True))
    return TensorInfo(raw.name, DType(raw.dtype), shape if raw.has_rank else None, raw.type)


def _raw_log(log: Log | None) -> Callable[[int, str], object] | None:
    if log is None:
        return None
    return lambda severity, message: log(Severity(severity), message)


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

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._core = engine._core.create_context()

    @property
    def engine(self) -> Engine:
        """The engine that it runs."""
        return self._engine

    def __call__(self, *args: Input, **inputs: Input) -> Results:
        """Runs. See Engine.__call__."""
        try:
            self._set_inputs(args, inputs)
            self._core.run()
        finally:
            self._core.clear_inputs()  # an idle context does not hold on to the caller's arrays
        names = [info.name for info in self._engine.outputs]
        return Results(names, [from_value(self._core.output(i)) for i in range(len(names))])

    def output_shapes(self, *args: Input, **inputs: Input) -> dict[str, tuple[int, ...] | None]:
        """The shapes that the outputs would have, without running; None where only running decides."""
        self._set_inputs(args, inputs)
        return {info.name: self._core.output_shape(i) for i, info in enumerate(self._engine.outputs)}

    def memory(self, *args: Input, **inputs: Input) -> int:
        """Bytes of intermediate results for these inputs, without running."""
        self._set_inputs(args, inputs)
        return self._core.memory()[0]

    def _set_inputs(self, args: tuple[Input, ...], inputs: dict[str, Input]) -> None:
        declared = self._engine.inputs
        values = _by_name(declared, args, inputs)
        for index, info in enumerate(declared):
            if info.name not in values:
                names = ", ".join(repr(known.name) for known in declared)
                raise InvalidArgumentError(f"input '{info.name}' ({info.type}) is missing; the inputs are: {names}")
            value = values[info.name]
            if info.is_tensor:
                set_tensor(self._core, index, info.name, value, info.dtype)
            else:
                self._core.set_input_value(index, to_value(f"input '{info.name}'", value))


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


class Engine:
    """A model, ready to run. May be used by any number of threads at once."""

    def __init__(self, core: _core.Engine) -> None:
        self._core = core
        self.inputs: tuple[TensorInfo, ...] = tuple(_info(raw) for raw in core.inputs())
        self.outputs: tuple[TensorInfo, ...] = tuple(_info(raw) for raw in core.outputs())
        self._idle: list[Context] = []

    @property
    def weights(self) -> tuple[TensorInfo, ...]:
        """Weights that refit() may replace, under the names that the model gives them."""
        return tuple(_info(raw) for raw in self._core.weights())

    @property
    def target(self) -> str:
        """The plan that runs: "cpu", "portable"."""
        return self._core.target()

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that the engine has plans for, best first."""
        return tuple(self._core.targets())

    def __call__(self, *args: Input, **inputs: Input) -> Results:
        """Runs the model once.

        Inputs are given in order, by name, or as one mapping of names. Each is a NumPy array, any object with `__dlpack__` in host
        memory, or numbers and lists of them; contiguous arrays are not copied. Returns the outputs by name, as NumPy arrays.
        Raises InvalidArgumentError for missing inputs and wrong types or shapes.
        """
        try:
            context = self._idle.pop()
        except IndexError:
            context = Context(self)
        try:
            return context(*args, **inputs)
        finally:
            self._idle.append(context)

    def create_context(self) -> Context:
        """A context of one's own, for runs whose working memory is not to be shared with engine(...)."""
        return Context(self)

    def refit(self, weights: Mapping[str, Input]) -> None:
        """Replaces weights by name; runs that begin afterwards use them. Raises for unknown names, other types or shapes."""
        known = {info.name: info for info in self.weights}
        for name, value in weights.items():
            if name not in known:
                raise NotFoundError(f"the engine has no weight '{name}' that can be refitted")
            self._core.refit(name, *refit_arguments(name, value, known[name].dtype))

    def serialize(self) -> bytes:
        """The engine's file, replaced weights included."""
        return bytes(self._core.serialize())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the engine's file: beside the target first, so that readers see the old file or the whole new one."""
        target = Path(path)
        partial = target.with_name(target.name + ".part")
        try:
            partial.write_bytes(self.serialize())
            partial.replace(target)
        except OSError as error:
            raise FileError(f"cannot write '{target}': {error.strerror}") from error

    def __repr__(self) -> str:
        inputs = ", ".join(f"{info.name}: {info.type}" for info in self.inputs)
        outputs = ", ".join(f"{info.name}: {info.type}" for info in self.outputs)
        return f"<tenon.Engine for {self.target}: ({inputs}) -> ({outputs})>"


def _precision(**flags: bool) -> _core.Precision:
    names = [name for name, flag in flags.items() if flag]
    if len(names) > 1:
        raise InvalidArgumentError(f"{' and '.join(names)} exclude each other")
    return _core.Precision[names[0].upper()] if names else _core.Precision.FP32


def build(
    model: str | os.PathLike[str] | bytes,
    *,
    targets: str | Sequence[str] = ("cpu",),
    fp16: bool = False,
    bf16: bool = False,
    tf32: bool = False,
    strict_fp32: bool = False,
    strict: bool = False,
    tune: bool = True,
    timing_cache: str | os.PathLike[str] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    folder: str | os.PathLike[str] = ".",
    disabled_passes: Sequence[str] = (),
    log: Log | None = None,
    progress: Progress | None = None,
) -> Engine:
    """Builds an engine from an ONNX model and loads it.

    Args:
        model: a path, or the bytes of an ONNX file.
        targets: plans to make, best first: "cpu", "cuda" (this machine's GPU), or a GPU's architecture such as "sm_90", for which no GPU
            need be there. The portable plan, which any CPU runs, is always there too.
        fp16: store and multiply FP32 values inside the model in 16-bit floats and sum in FP32; inputs and outputs keep their types. The
            portable plan stays as the model is.
        bf16: the same with bfloat16.
        tf32: products and convolutions of FP32 values may round their operands to TF32 (10 bits of mantissa).
        strict_fp32: FP32 without transforms that change rounding, such as Winograd's. One of these four at most.
        strict: an error, not a warning, where steps of a GPU's plan would run on the host.
        tune: whether kernels are measured on this machine's GPU where a target is for it.
        timing_cache: file of kernel timings to choose by; what the build measures is added. Else one in the user's cache folder where there
            is a GPU to measure on.
        shapes: dims of inputs by name, in place of what the model says.
        folder: where external data is, for a model that is given as bytes.
        disabled_passes: names of optimisations to leave out.
        log: called with each message; else warnings go to standard error.
        progress: called with the stage and the share of the work that is done; returning False cancels.

    Raises:
        tenon.Error: its subclass says what kind of error it is, its message has one line for each node that cannot be imported.
    """
    network = _core.Network()
    dims = {name: list(shape) for name, shape in (shapes or {}).items()}
    if isinstance(model, bytes | bytearray | memoryview):
        network.parse(bytes(model), os.fspath(folder), dims, _raw_log(log))
    else:
        network.parse_file(os.fspath(model), dims, _raw_log(log))
    names = [targets] if isinstance(targets, str) else list(targets)
    precision = _precision(fp16=fp16, bf16=bf16, tf32=tf32, strict_fp32=strict_fp32)
    cache = os.fspath(timing_cache) if timing_cache is not None else ""
    file = _core.build(network, names, precision, strict, tune, cache, list(disabled_passes), _raw_log(log), progress)
    return Engine(_core.Engine.deserialize(file, None, False, _raw_log(log)))


def load(
    engine: str | os.PathLike[str] | bytes,
    *,
    target: str | None = None,
    verify_weights: bool = False,
    log: Log | None = None,
) -> Engine:
    """Loads an engine from a file, which is mapped, or from bytes, which are copied.

    Args:
        engine: a path, or the bytes of an engine file.
        target: the plan to run; else the best that this machine has devices for.
        verify_weights: also check the checksum of every weight.
        log: called with each message; else warnings go to standard error.
    """
    if isinstance(engine, bytes | bytearray | memoryview):
        return Engine(_core.Engine.deserialize(bytes(engine), target, verify_weights, _raw_log(log)))
    return Engine(_core.Engine.load(os.fspath(engine), target, verify_weights, _raw_log(log)))
