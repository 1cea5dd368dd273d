"""What the tests share: small ONNX models written byte by byte, so that no other library is needed, and the digits."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

import tenon

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "samples" / "digits"


def varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | str | bytes) -> bytes:
    """One protobuf field: a varint, or length-delimited bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def value_info(name: str, dtype: tenon.DType, shape: Iterable[int | str]) -> bytes:
    dims = b"".join(field(1, field(1, dim) if isinstance(dim, int) else field(2, dim)) for dim in shape)
    return field(1, name) + field(2, field(1, field(1, int(dtype)) + field(2, dims)))


def attribute(name: str, value: int | float) -> bytes:
    if isinstance(value, float):
        return field(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + field(20, 1)
    return field(1, name) + field(3, value) + field(20, 2)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | float) -> bytes:
    names = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    return names + field(3, outputs[0]) + field(4, op) + b"".join(field(5, attribute(n, v)) for n, v in attributes.items())


def tensor(name: str, array: np.ndarray, dtype: tenon.DType | None = None) -> bytes:
    dims = b"".join(field(1, dim) for dim in array.shape)
    return dims + field(2, int(dtype or tenon.DType.of(array.dtype))) + field(8, name) + field(9, array.tobytes())


def model(nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], initializers: Sequence[bytes] = ()) -> bytes:
    graph = b"".join(field(1, n) for n in nodes) + field(2, "test") + b"".join(field(5, t) for t in initializers)
    graph += b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs)
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17))


def identity(dtype: tenon.DType, shape: Iterable[int | str] = ("n", 3)) -> bytes:
    shape = tuple(shape)
    return model([node("Identity", ["x"], ["y"])], [value_info("x", dtype, shape)], [value_info("y", dtype, shape)])


@pytest.fixture(scope="session")
def affine_bytes() -> bytes:
    """y = x · w + b, s = x summed over nothing but added to itself: two outputs, two weights."""
    w = np.arange(6, dtype=np.float32).reshape(3, 2)
    b = np.array([0.5, -1], np.float32)
    return model(
        [node("MatMul", ["x", "w"], ["t"]), node("Add", ["t", "b"], ["y"]), node("Add", ["x", "x"], ["s"])],
        [value_info("x", tenon.DType.f32, ["n", 3])],
        [value_info("y", tenon.DType.f32, ["n", 2]), value_info("s", tenon.DType.f32, ["n", 3])],
        [tensor("w", w), tensor("b", b)],
    )


@pytest.fixture(scope="session")
def affine(affine_bytes: bytes) -> tenon.Engine:
    return tenon.build(affine_bytes)


@pytest.fixture(scope="session")
def digits() -> tenon.Engine:
    return tenon.build(DIGITS / "digits.onnx")


@pytest.fixture(scope="session")
def digit_images() -> tuple[np.ndarray, np.ndarray]:
    images = np.fromfile(DIGITS / "test-images.idx3-ubyte", np.uint8, offset=16).reshape(-1, 1, 28, 28)
    labels = np.fromfile(DIGITS / "test-labels.idx1-ubyte", np.uint8, offset=8)
    return images.astype(np.float32) / 255, labels


def run_python(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=300)
