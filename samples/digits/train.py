"""Trains the digit classifier of this sample and writes it as an ONNX model.

The network and its gradients are written in NumPy and the graph with onnx.helper, so the
only requirements are numpy, onnx and onnxruntime. BatchNormalization stays a node of its own:
folding it is the optimiser's work, and this sample is there to show that work.
"""

import argparse
import gzip
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]

HELD_OUT = 1000  # images never trained on
SHIPPED = 256  # the first of the held-out images, stored beside the model
BN_EPSILON = 1e-5
BN_MOMENTUM = 0.9
OPSET = 17


@dataclass
class Param:
    """A trained array, its gradient and Adam's two moments."""

    value: F32
    grad: F32 = field(init=False)
    mean: F32 = field(init=False)
    square: F32 = field(init=False)

    def __post_init__(self) -> None:
        self.grad, self.mean, self.square = (np.zeros_like(self.value) for _ in range(3))


class Layer(Protocol):
    """Activations are [batch, height, width, channels], or [batch, features] after Flatten."""

    def forward(self, x: F32) -> F32: ...
    def backward(self, grad: F32) -> F32: ...
    def params(self) -> list[Param]: ...


class Conv3x3:
    """Stride 1, one pixel of zero padding, no bias: a BatchNorm follows and has its own."""

    def __init__(self, rng: np.random.Generator, c_in: int, c_out: int) -> None:
        scale = math.sqrt(2 / (9 * c_in))
        self.w = Param((scale * rng.standard_normal((9 * c_in, c_out))).astype(np.float32))
        self.c_in = c_in

    def forward(self, x: F32) -> F32:
        n, h, w, _ = x.shape
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        taps = [padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
        self.shape = x.shape
        self.columns: F32 = np.concatenate(taps, axis=3).reshape(n * h * w, 9 * self.c_in)
        out: F32 = self.columns @ self.w.value
        return out.reshape(n, h, w, -1)

    def backward(self, grad: F32) -> F32:
        n, h, w, c = self.shape
        flat = grad.reshape(n * h * w, -1)
        self.w.grad = self.columns.T @ flat
        columns = (flat @ self.w.value.T).reshape(n, h, w, 9, c)
        padded = np.zeros((n, h + 2, w + 2, c), np.float32)
        for tap in range(9):
            i, j = divmod(tap, 3)
            padded[:, i : i + h, j : j + w] += columns[:, :, :, tap]
        return padded[:, 1:-1, 1:-1]

    def params(self) -> list[Param]:
        return [self.w]

    def onnx_weight(self) -> F32:
        """[c_out, c_in, 3, 3]"""
        return self.w.value.reshape(3, 3, self.c_in, -1).transpose(3, 2, 0, 1)


class BatchNorm:
    """Per-channel normalisation (Ioffe and Szegedy 2015); forward always uses batch statistics."""

    def __init__(self, channels: int) -> None:
        self.gamma = Param(np.ones(channels, np.float32))
        self.beta = Param(np.zeros(channels, np.float32))
        self.running_mean: F32 = np.zeros(channels, np.float32)
        self.running_var: F32 = np.ones(channels, np.float32)

    def forward(self, x: F32) -> F32:
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        self.running_mean = BN_MOMENTUM * self.running_mean + (1 - BN_MOMENTUM) * mean
        self.running_var = BN_MOMENTUM * self.running_var + (1 - BN_MOMENTUM) * var
        self.inv_std: F32 = 1 / np.sqrt(var + np.float32(BN_EPSILON))
        self.unit: F32 = (x - mean) * self.inv_std
        out: F32 = self.unit * self.gamma.value + self.beta.value
        return out

    def backward(self, grad: F32) -> F32:
        count = np.float32(grad.size // grad.shape[-1])
        self.beta.grad = grad.sum((0, 1, 2))
        self.gamma.grad = (grad * self.unit).sum((0, 1, 2))
        spread = (self.beta.grad + self.unit * self.gamma.grad) / count
        return (grad - spread) * (self.gamma.value * self.inv_std)

    def params(self) -> list[Param]:
        return [self.gamma, self.beta]


class Relu:
    def forward(self, x: F32) -> F32:
        self.positive = x > 0
        return x * self.positive

    def backward(self, grad: F32) -> F32:
        return grad * self.positive

    def params(self) -> list[Param]:
        return []


class MaxPool2x2:
    """Stride 2; an odd last row or column is dropped, as in ONNX with ceil_mode 0."""

    def forward(self, x: F32) -> F32:
        n, h, w, c = x.shape
        self.shape = x.shape
        windows = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)
        windows = windows.transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, c, 4)
        self.winner = windows.argmax(4)[..., None]
        return np.take_along_axis(windows, self.winner, 4)[..., 0]

    def backward(self, grad: F32) -> F32:
        n, h, w, c = self.shape
        windows = np.zeros((*grad.shape, 4), np.float32)
        np.put_along_axis(windows, self.winner, grad[..., None], 4)
        windows = windows.reshape(n, h // 2, w // 2, c, 2, 2).transpose(0, 1, 4, 2, 5, 3)
        out = np.zeros(self.shape, np.float32)
        out[:, : h // 2 * 2, : w // 2 * 2] = windows.reshape(n, h // 2 * 2, w // 2 * 2, c)
        return out

    def params(self) -> list[Param]:
        return []


class Flatten:
    """To [batch, channels * height * width], the order of the exported NCHW graph."""

    def forward(self, x: F32) -> F32:
        self.shape = x.shape
        return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)

    def backward(self, grad: F32) -> F32:
        n, h, w, c = self.shape
        return grad.reshape(n, c, h, w).transpose(0, 2, 3, 1)

    def params(self) -> list[Param]:
        return []


class Dense:
    def __init__(self, rng: np.random.Generator, n_in: int, n_out: int) -> None:
        scale = math.sqrt(2 / n_in)
        self.w = Param((scale * rng.standard_normal((n_in, n_out))).astype(np.float32))
        self.b = Param(np.zeros(n_out, np.float32))

    def forward(self, x: F32) -> F32:
        self.x = x
        return x @ self.w.value + self.b.value

    def backward(self, grad: F32) -> F32:
        self.w.grad = self.x.T @ grad
        self.b.grad = grad.sum(0)
        return grad @ self.w.value.T

    def params(self) -> list[Param]:
        return [self.w, self.b]


def make_layers(rng: np.random.Generator) -> list[Layer]:
    layers: list[Layer] = []
    for c_in, c_out in ((1, 16), (16, 32), (32, 64)):
        layers += [Conv3x3(rng, c_in, c_out), BatchNorm(c_out), Relu(), MaxPool2x2()]
    return [*layers, Flatten(), Dense(rng, 64 * 3 * 3, 64), Relu(), Dense(rng, 64, 10)]


def softmax_loss(logits: F32, labels: I64) -> tuple[float, F32]:
    """Mean cross-entropy and its gradient by the logits."""
    shifted = logits - logits.max(1, keepdims=True)
    probability = np.exp(shifted)
    probability /= probability.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-np.log(probability[rows, labels] + np.float32(1e-12)).mean())
    probability[rows, labels] -= 1
    return loss, probability / np.float32(len(labels))


def adam_step(params: list[Param], step: int, rate: float, decay: float) -> None:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), on matrices only."""
    correction = math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    for p in params:
        p.mean = 0.9 * p.mean + 0.1 * p.grad
        p.square = 0.999 * p.square + 0.001 * p.grad**2
        if p.value.ndim > 1:
            p.value -= np.float32(rate * decay) * p.value
        p.value -= np.float32(rate * correction) * p.mean / (np.sqrt(p.square) + np.float32(1e-8))


def augment(rng: np.random.Generator, images: F32) -> F32:
    """Rotates by up to 12 degrees, scales by up to 10 % and shifts by up to 2 pixels."""
    n, size, _ = images.shape
    angle = rng.uniform(-math.pi / 15, math.pi / 15, (n, 1, 1))
    zoom = rng.uniform(0.9, 1.1, (n, 1, 1))
    dy, dx = rng.uniform(-2, 2, (2, n, 1, 1))
    middle = (size - 1) / 2
    v, u = np.mgrid[:size, :size] - middle
    y = (np.cos(angle) * v - np.sin(angle) * u) * zoom + middle + dy
    x = (np.sin(angle) * v + np.cos(angle) * u) * zoom + middle + dx
    # Two pixels of zeros around the image stand for all that lies outside.
    y, x = np.clip(y, -1, size) + 2, np.clip(x, -1, size) + 2
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    row, col = y.astype(np.int64), x.astype(np.int64)
    fy, fx = (y - row).astype(np.float32), (x - col).astype(np.float32)
    k = np.arange(n)[:, None, None]
    upper = padded[k, row, col] * (1 - fx) + padded[k, row, col + 1] * fx
    lower = padded[k, row + 1, col] * (1 - fx) + padded[k, row + 1, col + 1] * fx
    out: F32 = upper * (1 - fy) + lower * fy
    return out


def batches(rng: np.random.Generator, count: int, size: int) -> Iterator[I64]:
    order = rng.permutation(count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def train(images: F32, labels: I64, *, seed: int, epochs: int, batch: int) -> list[Layer]:
    """images: [n, 28, 28] in 0..1. Cosine learning rate from 3e-3 to 0 after one warm-up epoch."""
    rng = np.random.default_rng(seed)
    layers = make_layers(rng)
    params = [p for layer in layers for p in layer.params()]
    steps_per_epoch = len(images) // batch
    last_step = steps_per_epoch * epochs
    step = 0
    for epoch in range(epochs):
        started, losses = time.monotonic(), []
        for chosen in batches(rng, len(images), batch):
            step += 1
            x = augment(rng, images[chosen])[..., None]
            for layer in layers:
                x = layer.forward(x)
            loss, grad = softmax_loss(x, labels[chosen])
            for layer in reversed(layers):
                grad = layer.backward(grad)
            warm_up = min(1.0, step / steps_per_epoch)
            rate = 3e-3 * warm_up * 0.5 * (1 + math.cos(math.pi * step / last_step))
            adam_step(params, step, rate, decay=0.01)
            losses.append(loss)
        seconds = time.monotonic() - started
        loss = float(np.mean(losses))
        print(f"epoch {epoch + 1:2}/{epochs}  loss {loss:.4f}  {seconds:.1f} s", flush=True)
    return layers


def to_onnx(layers: list[Layer]) -> onnx.ModelProto:
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    current = "image"
    seen: dict[str, int] = {}

    def add(op: str, arrays: dict[str, F32], **attributes: Any) -> None:
        nonlocal current
        seen[op] = seen.get(op, 0) + 1
        name = f"{op.lower()}{seen[op]}"
        for key, array in arrays.items():
            weights.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{name}.{key}"))
        inputs = [current, *(f"{name}.{key}" for key in arrays)]
        current = "logits" if len(nodes) == len(layers) - 1 else f"{name}.out"
        nodes.append(helper.make_node(op, inputs, [current], name, **attributes))

    for layer in layers:
        match layer:
            case Conv3x3():
                weight = {"weight": layer.onnx_weight()}
                add("Conv", weight, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
            case BatchNorm():
                arrays = {
                    "scale": layer.gamma.value,
                    "bias": layer.beta.value,
                    "mean": layer.running_mean,
                    "var": layer.running_var,
                }
                add("BatchNormalization", arrays, epsilon=BN_EPSILON)
            case Relu():
                add("Relu", {})
            case MaxPool2x2():
                add("MaxPool", {}, kernel_shape=[2, 2], strides=[2, 2])
            case Flatten():
                add("Flatten", {}, axis=1)
            case Dense():
                add("Gemm", {"weight": layer.w.value.T, "bias": layer.b.value}, transB=1)
            case _:
                raise TypeError(f"no ONNX form for {type(layer).__name__}")

    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        weights,
        doc_string="Handwritten digits: one 28x28 image in 0..1 to ten logits.",
    )
    model = helper.make_model(
        graph,
        ir_version=8,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="tenon samples/digits",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def read_idx(path: Path) -> U8:
    """Reads an idx file of bytes: big-endian magic 0x0000080R of rank R, R dims, then the data."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: not an idx file of bytes")
    rank = data[3]
    dims = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(dims)


def write_idx(path: Path, array: U8) -> None:
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(header + array.tobytes())


def find_idx(folder: Path, stem: str) -> Path:
    for name in (stem, f"{stem}.gz"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{folder} has neither {stem} nor {stem}.gz")


def count_correct(model: Path, images: U8, labels: U8) -> int:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = images[:, None].astype(np.float32) / 255
    (logits,) = session.run(["logits"], {"image": x})
    return int((np.asarray(logits).argmax(1) == labels).sum())


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Train the digit classifier and write digits.onnx, test-images.idx3-ubyte "
        "and test-labels.idx1-ubyte.",
        epilog="example: python3 samples/digits/train.py --mnist mnist --out samples/digits",
    )
    parser.add_argument(
        "--mnist", type=Path, required=True, help="folder with the t10k-* idx files, gzipped or not"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=100, help="default: %(default)s")
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="of the split, the weights and the augmentation (default: %(default)s)",
    )
    args = parser.parse_args()

    images = read_idx(find_idx(args.mnist, "t10k-images-idx3-ubyte"))
    labels = read_idx(find_idx(args.mnist, "t10k-labels-idx1-ubyte"))
    order = np.random.default_rng(args.seed).permutation(len(images))
    scaled: F32 = images.astype(np.float32) / np.float32(255)
    held_out, rest = order[:HELD_OUT], order[HELD_OUT:]

    layers = train(
        scaled[rest],
        labels[rest].astype(np.int64),
        seed=args.seed,
        epochs=args.epochs,
        batch=args.batch,
    )

    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "digits.onnx"
    onnx.save(to_onnx(layers), path)
    shipped = held_out[:SHIPPED]
    write_idx(args.out / "test-images.idx3-ubyte", images[shipped])
    write_idx(args.out / "test-labels.idx1-ubyte", labels[shipped])

    print(f"{path}: {path.stat().st_size} bytes")
    for title, subset in (("trained on", rest), ("held out", held_out), ("shipped", shipped)):
        correct = count_correct(path, images[subset], labels[subset])
        print(f"{title:10} {correct}/{len(subset)} correct, {100 * correct / len(subset):.2f} %")


if __name__ == "__main__":
    main()
