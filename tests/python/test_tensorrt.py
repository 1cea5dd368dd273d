"""The tensorrt-shaped module: a script for TensorRT runs unchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tenon
import tenon.tensorrt as trt
from conftest import DIGITS, identity, model, node, run_python, value_info

# These lines are TensorRT's own API. None of them may change.
SCRIPT = """
import sys

import numpy as np
import tensorrt as trt

TRT_LOGGER = trt.Logger(trt.Logger.WARNING)
EXPLICIT_BATCH = 1 << (int)(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
path, images = sys.argv[1:]

with trt.Builder(TRT_LOGGER) as builder, builder.create_network(EXPLICIT_BATCH) as network, \\
        builder.create_builder_config() as config, trt.OnnxParser(network, TRT_LOGGER) as parser:
    builder.max_batch_size = 1
    config.max_workspace_size = 1 << 30
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    with open(path, 'rb') as model:
        if not parser.parse(model.read()):
            for i in range(parser.num_errors):
                print(parser.get_error(i))
            sys.exit(1)
    engine = builder.build_engine(network, config)

data = engine.serialize()
runtime = trt.Runtime(TRT_LOGGER)
engine = runtime.deserialize_cuda_engine(data)
context = engine.create_execution_context()

image = np.ascontiguousarray(np.load(images), np.float32)
logits = np.empty((1, 10), np.float32)
for i in range(len(image)):
    buffers = [image[i].ctypes.data, logits.ctypes.data]
    context.execute(batch_size=1, bindings=buffers)
    print(int(np.argmax(logits)))
"""


@pytest.mark.parametrize("how", ["module", "shim"])
def test_script(how: str, tmp_path: Path, digit_images: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digit_images
    np.save(tmp_path / "images.npy", images[:20])
    script = tmp_path / "script.py"
    script.write_text(SCRIPT if how == "module" else "import tenon.tensorrt_shim\n" + SCRIPT)
    start = ["-m", "tenon.tensorrt"] if how == "module" else []
    done = run_python(*start, script, DIGITS / "digits.onnx", tmp_path / "images.npy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [int(line) for line in done.stdout.split()] == labels[:20].tolist()
    assert done.stderr.count("max_workspace_size") == 1
    assert done.stderr.count("GPU_FALLBACK") == 1


class Collector(trt.ILogger):
    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.messages: list[str] = []

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        if severity <= trt.ILogger.WARNING:
            self.messages.append(msg)


def parsed(data: bytes, logger: trt.ILogger) -> tuple[trt.Builder, trt.INetworkDefinition]:
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    assert trt.OnnxParser(network, logger).parse(data)
    return builder, network


def test_bindings(affine_bytes: bytes) -> None:
    builder, network = parsed(affine_bytes, Collector())
    assert (network.num_inputs, network.num_outputs, network.get_input(0).name) == (1, 2, "x")
    assert network.get_input(0).shape == (-1, 3)
    engine = builder.build_engine(network, builder.create_builder_config())
    assert engine.num_bindings == len(engine) == engine.num_io_tensors == 3
    assert list(engine) == ["x", "y", "s"] == [engine[i] for i in range(3)]
    assert engine["y"] == engine.get_binding_index("y") == 1
    assert [engine.binding_is_input(i) for i in range(3)] == [True, False, False]
    assert engine.binding_is_input("x")
    assert engine.get_binding_name(2) == "s"
    assert engine.get_binding_shape(0) == (-1, 3) == engine.get_tensor_shape("x")
    assert engine.get_binding_dtype("y") == trt.float32 == trt.DataType.FLOAT
    assert trt.nptype(engine.get_binding_dtype(1)) == np.float32
    assert engine.get_tensor_mode("s") == trt.TensorIOMode.OUTPUT
    assert (trt.volume((2, 3, 4)), trt.volume(())) == (24, 1)
    with pytest.raises(tenon.NotFoundError, match="'x', 'y', 's'"):
        engine.get_binding_index("z")


def test_dynamic_shapes(affine_bytes: bytes) -> None:
    builder, network = parsed(affine_bytes, Collector())
    engine = builder.build_engine(network, builder.create_builder_config())
    context = engine.create_execution_context()
    x, y, s = np.ones((4, 3), np.float32), np.empty((4, 2), np.float32), np.empty((4, 3), np.float32)
    bindings = [x.ctypes.data, y.ctypes.data, s.ctypes.data]
    assert not context.all_binding_shapes_specified
    with pytest.raises(tenon.InvalidArgumentError, match="set_binding_shape"):
        context.execute_v2(bindings)
    assert context.set_binding_shape(0, (4, 3))
    assert context.all_binding_shapes_specified
    assert context.get_binding_shape(1) == (4, 2)
    assert context.execute_v2(bindings)
    np.testing.assert_array_equal(s, 2)
    s[:] = 0
    for name, array in (("x", x), ("y", y), ("s", s)):
        context.set_tensor_address(name, array.ctypes.data)
    assert context.execute_async_v3(0)
    np.testing.assert_array_equal(s, 2)
    with pytest.raises(tenon.InvalidArgumentError, match="2 bindings were given, the engine has 3"):
        context.execute_v2(bindings[:2])


def test_shapes_of_a_network_can_be_fixed(affine_bytes: bytes) -> None:
    builder, network = parsed(affine_bytes, Collector())
    network.get_input(0).shape = [2, 3]
    engine = builder.build_engine(network, builder.create_builder_config())
    assert engine.get_binding_shape(0) == (2, 3)
    assert engine.get_binding_shape(1) == (2, 2)


def test_profiles(affine_bytes: bytes) -> None:
    logger = Collector()
    builder, network = parsed(affine_bytes, logger)
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    assert profile.set_shape("x", min=(1, 3), opt=(4, 3), max=(16, 3))
    assert profile.get_shape("x") == [(1, 3), (4, 3), (16, 3)]
    assert config.add_optimization_profile(profile) == 0
    context = builder.build_engine(network, config).create_execution_context()
    assert context.set_binding_shape(0, (64, 3)), "no shape needs a profile"
    assert logger.messages == []
    assert config.add_optimization_profile(profile) == 1
    builder.build_engine(network, config)
    assert "profiles but the first" in logger.messages[0]
    profile.set_shape("x", min=(1, 4), opt=(4, 4), max=(16, 4))
    with pytest.raises(tenon.InvalidArgumentError, match="dim 1 is expected to be 4"):
        builder.build_engine(network, config)


def test_settings_without_an_effect_are_named_once(affine_bytes: bytes) -> None:
    logger = Collector()
    builder, network = parsed(affine_bytes, logger)
    config = builder.create_builder_config()
    builder.build_engine(network, config)
    assert logger.messages == []
    builder.max_batch_size = 8
    config.max_workspace_size = 1 << 20
    config.set_flag(trt.BuilderFlag.INT8)
    assert config.get_flag(trt.BuilderFlag.INT8)
    assert config.flags == 2
    engine = builder.build_engine(network, config)
    builder.build_engine(network, config)
    assert engine.max_batch_size == 8
    (message,) = logger.messages
    for name in ("max_batch_size", "max_workspace_size", "INT8"):
        assert message.count(name) == 1


def test_failures_raise(affine_bytes: bytes) -> None:
    logger = Collector()
    builder = trt.Builder(logger)
    network = builder.create_network()
    config = builder.create_builder_config()
    parser = trt.OnnxParser(network, logger)
    unknown = model([node("Frobnicate", ["x"], ["y"])], [value_info("x", tenon.DType.f32, [1])], [value_info("y", tenon.DType.f32, [1])])
    assert not parser.parse(unknown)
    assert parser.num_errors == 1
    assert "Frobnicate" in parser.get_error(0).desc()
    with pytest.raises(tenon.InvalidArgumentError, match="the network is empty"):
        builder.build_engine(network, config)
    with pytest.raises(tenon.BadEngineError):
        trt.Runtime(logger).deserialize_cuda_engine(b"nothing")
    with pytest.raises(tenon.UnsupportedError, match="add_convolution"):
        network.add_convolution()
    with pytest.raises(tenon.UnsupportedError, match="calibration"):
        config.int8_calibrator = object()
    with pytest.raises(AttributeError, match="no_such_setting"):
        config.no_such_setting = 1
    with pytest.raises(AttributeError, match="IPluginV2"):
        trt.IPluginV2  # noqa: B018


def test_types_without_a_name_in_tensorrt() -> None:
    builder, network = parsed(identity(tenon.DType.f64), Collector())
    engine = builder.build_engine(network, builder.create_builder_config())
    with pytest.raises(tenon.UnsupportedError, match="f64"):
        engine.get_binding_dtype(0)
