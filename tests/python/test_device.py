"""Arrays in a device's memory, on the mock device: the host cannot touch its memory, its work is done later on threads of its own."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import tenon
from conftest import DIGITS, identity, model, node, run_python, value_info

W = np.arange(6, dtype=np.float32).reshape(3, 2)
B = np.array([0.5, -1], np.float32)
MOCK = (12, 0)


@pytest.fixture(scope="module")
def mock(affine_bytes: bytes) -> tenon.Engine:
    """The affine model, all of it on the device."""
    return tenon.build(affine_bytes, targets="mock_whole", device="mock")


class Foreign:
    """An array of another library on the device: all that is known of it is DLPack."""

    def __init__(self, array: tenon.DeviceArray) -> None:
        self.array = array
        self.streams: list[int | None] = []

    def __dlpack__(self, *, stream: int | None = None, **kwargs: Any) -> Any:
        self.streams.append(stream)
        return self.array.__dlpack__(stream=stream, **kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


def copies(context: tenon.Context) -> tuple[int, int, int]:
    run = context.last_run
    return run.copies_to_device, run.copies_to_host, run.copies_within_device


def test_devices(affine_bytes: bytes, mock: tenon.Engine, affine: tenon.Engine) -> None:
    assert (mock.device, affine.device) == ("mock:0", "cpu")
    assert mock.host_steps == ()
    file = mock.serialize()
    assert tenon.load(file, device="mock").device == "mock:0"
    assert tenon.load(file, device="cpu").target == "portable"
    assert tenon.build(affine_bytes, device="mock").targets == ("mock", "portable")
    with pytest.raises(tenon.NotFoundError, match="no plan that runs on cuda:0"):
        tenon.load(file, device="cuda:0")
    with pytest.raises(tenon.NotFoundError, match="there is no device 'abacus'"):
        tenon.load(file, device="abacus")


def test_arrays(mock: tenon.Engine) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    there = mock.to_device(x)
    assert (there.shape, there.ndim, there.dtype, there.device) == ((2, 3), 2, tenon.DType.f32, "mock:0")
    assert there.__dlpack_device__() == MOCK
    assert repr(there) == "<tenon.DeviceArray f32[2, 3] on mock:0>"
    np.testing.assert_array_equal(there.numpy(), x)
    np.testing.assert_array_equal(mock.to_device(x.T).numpy(), x.T)
    with pytest.raises(TypeError, match=r"numpy\(\) copies it"):
        np.asarray(there)
    bits = np.array([0, 1, 1], bool)
    np.testing.assert_array_equal(mock.to_device(bits).numpy(), bits)


def test_in_and_out_without_a_copy(mock: tenon.Engine) -> None:
    context = mock.create_context()
    x = np.random.default_rng(0).standard_normal((4, 3), np.float32)
    there = mock.to_device(x)
    for _ in range(3):
        out = context(there)
        assert copies(context) == (0, 0, 0)
        assert isinstance(out["y"], tenon.DeviceArray)
        assert out["y"].device == "mock:0"
        np.testing.assert_allclose(out["y"].numpy(), x @ W + B, rtol=1e-6)
        np.testing.assert_array_equal(out["s"].numpy(), x + x)
    np.testing.assert_array_equal(mock(there)["s"].numpy(), x + x)


def test_results_feed_the_next_engine(mock: tenon.Engine) -> None:
    x = np.ones((2, 3), np.float32)
    first, second = mock.create_context(), mock.create_context()
    for _ in range(5):
        y = second(first(mock.to_device(x))["s"])["s"]  # each on a stream of its own
        assert copies(second) == (0, 0, 0)
        np.testing.assert_array_equal(y.numpy(), 4 * x)


def test_where_results_lie(mock: tenon.Engine) -> None:
    x = np.ones((2, 3), np.float32)
    there = mock.to_device(x)
    context = mock.create_context()
    assert isinstance(context(x)["s"], np.ndarray)
    assert copies(context) == (1, 2, 0)
    assert isinstance(context(x, outputs="device")["s"], tenon.DeviceArray)
    assert copies(context) == (1, 0, 0)
    assert isinstance(context(there, outputs="host")["s"], np.ndarray)
    assert copies(context) == (0, 2, 0)
    always = mock.create_context(outputs="device")
    np.testing.assert_array_equal(always(x=x)["s"].numpy(), 2)
    np.testing.assert_array_equal(mock(there, outputs="host")["s"], 2)
    with pytest.raises(tenon.InvalidArgumentError, match="an input of that name is given in a mapping"):
        mock(x, outputs=x)  # type: ignore[arg-type]


def test_results_stay_the_callers(mock: tenon.Engine) -> None:
    context = mock.create_context()
    first = context(mock.to_device(np.ones((2, 3), np.float32)))["s"]
    second = context(mock.to_device(np.zeros((2, 3), np.float32)))["s"]
    del context
    gc.collect()
    np.testing.assert_array_equal(first.numpy(), 2)
    np.testing.assert_array_equal(second.numpy(), 0)


def test_arrays_of_other_libraries(mock: tenon.Engine) -> None:
    context = mock.create_context()
    x = np.ones((2, 3), np.float32)
    for i in range(3):
        foreign = Foreign(mock.to_device(x * i))
        out = context(foreign)
        assert copies(context) == (0, 0, 0)
        assert foreign.streams == [context.stream], "the consumer passes its stream"
        del foreign  # its memory lives as long as the run
        np.testing.assert_array_equal(out["s"].numpy(), 2 * x * i)
    other = mock.create_context(stream=context.stream)
    foreign = Foreign(mock.to_device(x))
    np.testing.assert_array_equal(other(foreign)["s"].numpy(), 2)
    assert foreign.streams == [context.stream]


def test_capsules_keep_the_memory(mock: tenon.Engine) -> None:
    context, consumer = mock.create_context(), mock.create_context()
    x = np.ones((2, 3), np.float32)
    s = context(mock.to_device(x))["s"]
    held = Foreign(s)
    capsule = s.__dlpack__(stream=consumer.stream)
    del s
    for _ in range(3):
        context(mock.to_device(x * 7))  # would write over memory that is free
    np.testing.assert_array_equal(consumer(held)["s"].numpy(), 4)
    del capsule, held
    gc.collect()


def test_dlpacks_protocol(mock: tenon.Engine) -> None:
    context = mock.create_context()
    there, stream = mock.to_device(np.ones(3, np.float32)), context.stream
    assert "dltensor" in repr(there.__dlpack__(stream=stream, max_version=(1, 0), dl_device=MOCK, copy=False))
    assert "dltensor" in repr(there.__dlpack__(stream=-1))
    with pytest.raises(BufferError, match="say which"):
        there.__dlpack__()
    with pytest.raises(BufferError, match="stream 0"):
        there.__dlpack__(stream=0)
    with pytest.raises(BufferError, match="without a copy"):
        there.__dlpack__(stream=stream, copy=True)
    with pytest.raises(BufferError, match="not moved to cuda:1"):
        there.__dlpack__(stream=stream, dl_device=(2, 1))
    result = context(mock.to_device(np.ones((1, 3), np.float32)))["s"]
    with pytest.raises(tenon.InvalidArgumentError, match="none of the mock device"):
        result.__dlpack__(stream=12345)
    np.testing.assert_array_equal(np.from_dlpack(there, device="cpu"), 1)


def test_wrong_arrays(mock: tenon.Engine, affine: tenon.Engine) -> None:
    there = mock.to_device(np.ones((2, 3), np.float32))
    doubles = mock.to_device(np.ones((2, 3)))
    with pytest.raises(tenon.InvalidArgumentError, match="input 'x' must be f32, got f64"):
        mock(doubles)
    with pytest.raises(tenon.InvalidArgumentError, match="input 'x' must be f32, the array is f64"):
        mock(Foreign(doubles))
    with pytest.raises(tenon.InvalidArgumentError, match="'x' must have shape"):
        mock(mock.to_device(np.ones((2, 4), np.float32)))
    for array in (there, Foreign(there)):
        with pytest.raises(tenon.InvalidArgumentError, match=r"lies on a device \(mock:0\), the plan 'cpu' runs on the host"):
            affine(array)
    with pytest.raises(tenon.InvalidArgumentError, match="outputs cannot lie on a device"):
        affine(np.ones((2, 3), np.float32), outputs="device")
    with pytest.raises(tenon.InvalidArgumentError, match="load the engine with a device"):
        affine.to_device(np.ones(3, np.float32))
    with pytest.raises(tenon.InvalidArgumentError, match="is no stream"):
        mock.create_context(stream="0")
    with pytest.raises(tenon.InvalidArgumentError, match="none of the mock device"):
        mock.create_context(stream=12345)(there)
    with pytest.raises(tenon.InvalidArgumentError, match="a stream was given"):
        affine.create_context(stream=1)(np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(mock(there)["s"].numpy(), 2)  # none of it did harm


def test_plans_that_are_split(affine_bytes: bytes) -> None:
    """Steps of the host read what lies on the device: the run waits, and the results are the same."""
    engine = tenon.build(affine_bytes, targets="mock", device="mock")
    assert engine.host_steps
    x = np.random.default_rng(1).standard_normal((4, 3), np.float32)
    for outputs in ("device", "host"):
        out = engine(engine.to_device(x), outputs=outputs)
        y = out["y"].numpy() if outputs == "device" else out["y"]
        np.testing.assert_allclose(y, x @ W + B, rtol=1e-6)


@pytest.mark.parametrize("dtype", [tenon.DType.bf16, tenon.DType.f16, tenon.DType.i64, tenon.DType.bool, tenon.DType.f8e5m2])
def test_types(dtype: tenon.DType) -> None:
    engine = tenon.build(identity(dtype), targets="mock_whole", device="mock")
    x = np.array([[0, 1, 1]], np.uint8).astype(dtype.numpy)
    there = engine.to_device(x) if dtype.numpy.isbuiltin == 1 else None
    if there is None:
        there = engine(x, outputs="device")["y"]
    for array in (there, Foreign(there)):
        out = engine(array)["y"]
        assert out.dtype is dtype
        np.testing.assert_array_equal(out.numpy().view(np.uint8), x.view(np.uint8))


def test_an_input_that_is_named_outputs() -> None:
    nodes = [node("Neg", ["outputs"], ["y"])]
    engine = tenon.build(model(nodes, [value_info("outputs", tenon.DType.f32, [2])], [value_info("y", tenon.DType.f32, [2])]))
    np.testing.assert_array_equal(engine({"outputs": [1, 2]})["y"], [-1, -2])


def test_the_sample_on_a_device() -> None:
    done = run_python(DIGITS / "digits.py", "--device", "mock")
    assert done.returncode == 0, done.stderr
    assert "accuracy: 254 of 256" in done.stdout
    assert "plan for mock" in done.stdout
    done = run_python(DIGITS / "digits.py", "--device", "abacus")
    assert done.returncode != 0
    assert "abacus" in done.stderr
