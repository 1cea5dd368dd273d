"""Building, loading and running engines."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from tenon import _core
from tenon.context import Context, Place, Results
from tenon.device import DeviceArray, Stream, device_name
from tenon.dtypes import DType
from tenon.errors import FileError, InvalidArgumentError, NotFoundError
from tenon.info import TensorInfo, info_of
from tenon.values import Input, refit_arguments, to_value


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


def _raw_log(log: Log | None) -> Callable[[int, str], object] | None:
    if log is None:
        return None
    return lambda severity, message: log(Severity(severity), message)


class Engine:
    """A model, ready to run. May be used by any number of threads at once."""

    def __init__(self, core: _core.Engine) -> None:
        self._core = core
        self.inputs: tuple[TensorInfo, ...] = tuple(info_of(raw) for raw in core.inputs())
        self.outputs: tuple[TensorInfo, ...] = tuple(info_of(raw) for raw in core.outputs())
        self.host_steps: tuple[str, ...] = tuple(core.host_steps())
        """Steps of a GPU's plan that the host runs all the same: a run waits for the GPU where they read from it."""
        self._idle: list[Context] = []

    @property
    def weights(self) -> tuple[TensorInfo, ...]:
        """Weights that refit() may replace, under the names that the model gives them."""
        return tuple(info_of(raw) for raw in self._core.weights())

    @property
    def target(self) -> str:
        """The plan that runs: "cpu", "portable"."""
        return self._core.target()

    @property
    def device(self) -> str:
        """What the plan runs on: "cpu", "cuda:0"."""
        return device_name(self._core.device())

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that the engine has plans for, best first."""
        return tuple(self._core.targets())

    def __call__(self, *args: Input, outputs: Place | None = None, **inputs: Input) -> Results:
        """Runs the model once.

        Inputs are given in order, by name, or as one mapping of names. Each is a NumPy array, any object with `__dlpack__`, or numbers
        and lists of them. In host memory contiguous arrays are not copied. Arrays in the memory of the engine's GPU are read in place,
        on the current stream of PyTorch or CuPy whose they are: what was put on it before comes first, what is put there next comes
        after the run. Where all tensors lie on the GPU and the plan has no host_steps, the call returns while the GPU works.

        Returns the outputs by name: NumPy arrays, or DeviceArrays where outputs is "device", or None and an input lies on the device;
        `torch.from_dlpack` takes those without a copy. An input that is named "outputs" is given in a mapping.

        Raises InvalidArgumentError for missing inputs, wrong types or shapes, and arrays on another device than the engine's.
        """
        try:
            context = self._idle.pop()
        except IndexError:
            context = Context(self)
        try:
            return context(*args, outputs=outputs, **inputs)
        finally:
            self._idle.append(context)

    def create_context(self, *, stream: Stream | None = None, outputs: Place | None = None) -> Context:
        """A context of one's own, for runs whose working memory is not to be shared with engine(...).

        Args:
            stream: of the engine's GPU: a handle, or an object of PyTorch or CuPy. All its runs go there; else to the current stream of
                the library that an input on the GPU comes from, and to a stream of the context's own where that is not known.
            outputs: "host" or "device", in place of what a call says.
        """
        return Context(self, stream=stream, outputs=outputs)

    def to_device(self, array: Input) -> DeviceArray:
        """A copy of an array in host memory, of its own element type, on the engine's GPU. Raises InvalidArgumentError without one."""
        return DeviceArray(self._core.to_device(to_value("the array", array)))

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
    targets: str | Sequence[str] | None = None,
    device: str | None = None,
    fp16: bool = False,
    bf16: bool = False,
    tf32: bool = False,
    strict_fp32: bool = False,
    strict: bool = False,
    tune: bool = True,
    timing_cache: str | os.PathLike[str] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    opt_shapes: Mapping[str, Sequence[int]] | None = None,
    folder: str | os.PathLike[str] = ".",
    disabled_passes: Sequence[str] = (),
    log: Log | None = None,
    progress: Progress | None = None,
) -> Engine:
    """Builds an engine from an ONNX model and loads it.

    Args:
        model: a path, or the bytes of an ONNX file.
        targets: plans to make, best first: "cpu", "cuda" (this machine's GPU), or a GPU's architecture such as "sm_90", for which no GPU
            need be there. By default what `device` runs, else "cpu". The portable plan, which any CPU runs, is always there too.
        device: what the engine is loaded on: "cpu", "cuda", "cuda:1". By default the best of the targets.
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
        opt_shapes: dims of inputs that a GPU's kernels are chosen and measured for, where the model leaves sizes open; a size that is not
            listed counts as 32. Other sizes run all the same.
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
    if targets is None:
        targets = device or "cpu"
    names = [targets] if isinstance(targets, str) else list(targets)
    precision = _precision(fp16=fp16, bf16=bf16, tf32=tf32, strict_fp32=strict_fp32)
    cache = os.fspath(timing_cache) if timing_cache is not None else ""
    opt_dims = {name: list(shape) for name, shape in (opt_shapes or {}).items()}
    file = _core.build(network, names, precision, strict, tune, cache, opt_dims, list(disabled_passes), _raw_log(log), progress)
    return Engine(_core.Engine.deserialize(file, None, device, False, _raw_log(log)))


def load(
    engine: str | os.PathLike[str] | bytes,
    *,
    device: str | None = None,
    target: str | None = None,
    verify_weights: bool = False,
    log: Log | None = None,
) -> Engine:
    """Loads an engine from a file, which is mapped, or from bytes, which are copied.

    Args:
        engine: a path, or the bytes of an engine file.
        device: only a plan for this device: "cpu" (the host alone), "cuda" (the first GPU), "cuda:1"; by default any that is there.
        target: the plan to run; else the best that this machine has devices for.
        verify_weights: also check the checksum of every weight.
        log: called with each message; else warnings go to standard error.

    Raises:
        NotFoundError: no such file, no plan for the target or device, no such device in this machine.
        BadEngineError: the file is damaged.
    """
    if isinstance(engine, bytes | bytearray | memoryview):
        return Engine(_core.Engine.deserialize(bytes(engine), target, device, verify_weights, _raw_log(log)))
    return Engine(_core.Engine.load(os.fspath(engine), target, device, verify_weights, _raw_log(log)))
