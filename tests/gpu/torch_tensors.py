"""PyTorch's CUDA tensors in and out of an engine, on a machine with a GPU and PyTorch: no copies, streams, lifetimes, graphs.

python tests/gpu/torch_tensors.py --package FOLDER [--engine FILE | --model FILE]

FOLDER holds the built package `tenon` with its libraries (or PYTHONPATH names it); nothing is built but the engine, from samples/digits
by default. Prints one JSON object with a row for each check. Exit code: 0 if all passed.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

MODEL = Path(__file__).resolve().parents[2] / "samples" / "digits" / "digits.onnx"
RTOL = ATOL = 1e-3
Check = Callable[["Bed"], dict[str, Any]]


class Bed:
    """The engine on the GPU, the same on the host, and inputs for both."""

    def __init__(self, tenon: Any, file: bytes, batch: int) -> None:
        self.tenon = tenon
        self.file = file
        self.gpu = tenon.load(file, device="cuda:0")
        self.host = tenon.load(file, device="cpu")
        self.batch = batch
        self.device = torch.device("cuda:0")
        (self.input,) = self.gpu.inputs
        self.output = self.gpu.outputs[0].name

    def x(self, seed: int) -> torch.Tensor:
        """A random input on the GPU; sizes that are not known are the batch."""
        shape = [dim if isinstance(dim, int) else self.batch for dim in self.input.shape]
        numbers = np.random.default_rng(seed).random(shape, np.float32)
        return torch.from_numpy(numbers).to(self.device)

    def wanted(self, x: torch.Tensor) -> np.ndarray:
        """What the host computes."""
        return self.host(x.cpu().numpy())[self.output]

    def expect(self, y: torch.Tensor, x: torch.Tensor) -> float:
        """The largest difference from the host's result; an error where it is too large."""
        got, wanted = y.cpu().numpy(), self.wanted(x)
        np.testing.assert_allclose(got, wanted, rtol=RTOL, atol=ATOL)
        return float(np.max(np.abs(got - wanted)))


def copies(context: Any) -> list[int]:
    """Of the last run: to the device, to the host, within the device."""
    run = context.last_run
    return [run.copies_to_device, run.copies_to_host, run.copies_within_device]


def zero_copy(bed: Bed) -> dict[str, Any]:
    """A tensor is read where it lies, the result is PyTorch's without a copy."""
    context, x = bed.gpu.create_context(), bed.x(0)
    out = context(x)[bed.output]
    assert copies(context) == [0, 0, 0], copies(context)
    y, same = torch.from_dlpack(out), torch.from_dlpack(out)
    assert y.data_ptr() == same.data_ptr()
    assert y.device == bed.device and y.is_contiguous() and tuple(y.shape) == out.shape
    y += 1  # PyTorch's to change: the array sees it
    np.testing.assert_array_equal(out.numpy(), y.cpu().numpy())
    y -= 1
    return {"difference": bed.expect(y, x), "host_steps": list(bed.gpu.host_steps)}


def default_stream(bed: Bed) -> dict[str, Any]:
    """On the default stream: an input that PyTorch is still computing, a result that it reads at once."""
    worst = 0.0
    for seed in range(10):
        x = bed.x(seed)
        doubled = busy(x) * 2
        y = torch.from_dlpack(bed.gpu(doubled)[bed.output]) * 1
        worst = max(worst, bed.expect(y, doubled))
    return {"difference": worst}


def other_stream(bed: Bed) -> dict[str, Any]:
    """The same on a stream of PyTorch's, which is the current one."""
    worst, stream = 0.0, torch.cuda.Stream()
    context = bed.gpu.create_context()
    for seed in range(10):
        x = bed.x(seed)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            doubled = busy(x) * 2
            y = torch.from_dlpack(context(doubled)[bed.output]) * 1
        assert copies(context) == [0, 0, 0]
        stream.synchronize()
        worst = max(worst, bed.expect(y, doubled))
    return {"difference": worst}


def returns_before_the_gpu(bed: Bed) -> dict[str, Any]:
    """The call comes back while PyTorch's work before it still runs."""
    context, x = bed.gpu.create_context(), bed.x(0)
    for _ in range(3):
        context(x)
    torch.cuda.synchronize()
    event = torch.cuda.Event()
    torch.cuda._sleep(200_000_000)  # about 0.1 s
    start = time.perf_counter()
    out = context(x)[bed.output]
    event.record()
    call_ms = (time.perf_counter() - start) * 1e3
    ended = event.query()
    assert not ended, "the call waited"
    bed.expect(torch.from_dlpack(out), x)
    return {"call_ms": call_ms}


def two_streams(bed: Bed) -> dict[str, Any]:
    """Two contexts on two streams at once, and a third that goes from one to the other."""
    streams = [torch.cuda.Stream(), torch.cuda.Stream()]
    contexts = [bed.gpu.create_context(stream=stream) for stream in streams]
    shared = bed.gpu.create_context()
    xs = [bed.x(seed) for seed in range(20)]
    torch.cuda.synchronize()
    results = []
    for i, x in enumerate(xs):
        with torch.cuda.stream(streams[i % 2]):
            y = torch.from_dlpack(contexts[i % 2](x)[bed.output])
            z = torch.from_dlpack(shared(x)[bed.output])
            results.append((y, z))
    torch.cuda.synchronize()
    worst = max(bed.expect(result, x) for x, pair in zip(xs, results, strict=True) for result in pair)
    return {"difference": worst, "runs": 2 * len(xs)}


def graphs(bed: Bed) -> dict[str, Any]:
    """From the second run with the same addresses on, kernels are launched as graphs; a few addresses in turn each have theirs."""
    context = bed.gpu.create_context()
    xs = [bed.x(0), bed.x(1)]
    launched = []
    for _ in range(4):
        context(xs[0])
        launched.append(context.last_run.graphs)
    assert launched[0] == 0 and all(count > 0 for count in launched[1:]), launched
    kept, turns = None, []
    for i in range(12):  # an input and a result at two places each
        kept = torch.from_dlpack(context(xs[i % 2])[bed.output])
        turns.append(context.last_run.graphs)
        bed.expect(kept, xs[i % 2])
    assert all(count > 0 for count in turns[-4:]), turns
    return {"graphs": launched, "in_turns": turns}


def lifetimes(bed: Bed) -> dict[str, Any]:
    """A result outlives its engine; memory is used again and does not grow."""
    engine = bed.tenon.load(bed.file, device="cuda:0")
    x = bed.x(3)
    y = torch.from_dlpack(engine(x)[bed.output])
    del engine
    gc.collect()
    difference = bed.expect(y, x)
    context = bed.gpu.create_context()
    for _ in range(10):
        torch.from_dlpack(context(x)[bed.output])
    torch.cuda.synchronize()
    before = torch.cuda.mem_get_info()[0]
    for _ in range(300):
        torch.from_dlpack(context(x)[bed.output])
    torch.cuda.synchronize()
    lost = before - torch.cuda.mem_get_info()[0]
    assert lost <= 2 << 20, f"{lost} bytes were lost"
    return {"difference": difference, "lost_bytes": lost}


def consumer_on_another_stream(bed: Bed) -> dict[str, Any]:
    """A stream that reads a result waits for the run; the memory is not used again before it has read."""
    context, reader = bed.gpu.create_context(), torch.cuda.Stream()
    xs = [bed.x(seed) for seed in range(8)]
    torch.cuda.synchronize()
    sums = []
    for x in xs:
        out = context(busy(x))[bed.output]
        with torch.cuda.stream(reader):
            y = torch.from_dlpack(out)
            torch.cuda._sleep(2_000_000)
            sums.append(y * 1)
        del out, y
    torch.cuda.synchronize()
    return {"difference": max(bed.expect(total, x) for total, x in zip(sums, xs, strict=True))}


def odd_inputs(bed: Bed) -> dict[str, Any]:
    """Tensors that are not contiguous, want gradients, or are not aligned."""
    context, x = bed.gpu.create_context(), bed.x(4)
    strided = x.transpose(-1, -2).contiguous().transpose(-1, -2)
    assert not strided.is_contiguous()
    differences = [bed.expect(torch.from_dlpack(context(strided)[bed.output]), x)]
    assert copies(context) == [0, 0, 0]
    differences.append(bed.expect(torch.from_dlpack(context(x.clone().requires_grad_())[bed.output]), x))
    shifted = torch.empty(x.numel() + 1, device=bed.device)[1:].view(x.shape)
    shifted.copy_(x)
    differences.append(bed.expect(torch.from_dlpack(context(shifted)[bed.output]), x))
    assert copies(context) == [0, 0, 1], copies(context)
    return {"difference": max(differences)}


def mixed_places(bed: Bed) -> dict[str, Any]:
    """Results on the host from inputs on the GPU, and the other way round."""
    context, x = bed.gpu.create_context(), bed.x(5)
    np.testing.assert_allclose(context(x, outputs="host")[bed.output], bed.wanted(x), rtol=RTOL, atol=ATOL)
    to_host = copies(context)
    difference = bed.expect(torch.from_dlpack(context(x.cpu().numpy(), outputs="device")[bed.output]), x)
    return {"difference": difference, "copies": [to_host, copies(context)]}


def errors(bed: Bed) -> dict[str, Any]:
    """What is wrong is said."""
    messages = []
    for call in (
        lambda: bed.host(bed.x(0)),
        lambda: bed.gpu(bed.x(0).double()),
        lambda: bed.tenon.load(bed.file, device="cuda:99"),
        lambda: captured(bed),
    ):
        try:
            call()
        except bed.tenon.Error as error:
            messages.append(f"{type(error).__name__}: {error}")
            continue
        raise AssertionError("no error")
    torch.cuda.synchronize()
    bed.expect(torch.from_dlpack(bed.gpu(bed.x(0))[bed.output]), bed.x(0))
    return {"messages": messages}


def captured(bed: Bed) -> None:
    """A run on a stream that PyTorch captures."""
    x = bed.x(0)
    context = bed.gpu.create_context()
    failure = None
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        x += 1
        try:
            context._core.run_on(torch.cuda.current_stream().cuda_stream)
        except bed.tenon.Error as error:
            failure = error
    if failure is not None:
        raise failure


def speed(bed: Bed) -> dict[str, Any]:
    """Microseconds of a call: tensors in the GPU's memory, and NumPy arrays."""
    context, x = bed.gpu.create_context(), bed.x(6)
    array = x.cpu().numpy()

    def per_call(value: object, runs: int = 50, rounds: int = 9) -> float:
        times = []
        for _ in range(rounds + 1):
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(runs):
                context(value)
            torch.cuda.synchronize()
            times.append((time.perf_counter() - start) / runs * 1e6)
        return statistics.median(times[1:])

    return {"device_us": per_call(x), "host_us": per_call(array), "batch": bed.batch}


def busy(x: torch.Tensor) -> torch.Tensor:
    """The same numbers, a while later: who does not wait reads others."""
    late = torch.full_like(x, float("nan"))
    torch.cuda._sleep(5_000_000)
    return late.copy_(x)


CHECKS: tuple[Check, ...] = (
    zero_copy,
    default_stream,
    other_stream,
    returns_before_the_gpu,
    two_streams,
    graphs,
    lifetimes,
    consumer_on_another_stream,
    odd_inputs,
    mixed_places,
    errors,
    speed,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="folder of the built package `tenon`")
    parser.add_argument("--engine", type=Path, help="an engine with a plan for this GPU, one float32 input")
    parser.add_argument("--model", type=Path, default=MODEL, help="an ONNX model to build one from (default: samples/digits)")
    parser.add_argument("--batch", type=int, default=64, help="in place of sizes that the model leaves open")
    options = parser.parse_args()
    if options.package:
        sys.path.insert(0, str(options.package))
    import tenon

    file = options.engine.read_bytes() if options.engine else tenon.build(options.model, device="cuda:0").serialize()
    bed = Bed(tenon, file, options.batch)
    rows = {}
    for check in CHECKS:
        try:
            rows[check.__name__] = {"passed": True, **check(bed)}
        except Exception as error:
            rows[check.__name__] = {"passed": False, "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    passed = all(row["passed"] for row in rows.values())
    report = {"tenon": tenon.__version__, "torch": torch.__version__, "gpu": torch.cuda.get_device_name(0), "target": bed.gpu.target}
    print(json.dumps({**report, "passed": passed, "checks": rows}, indent=1))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
