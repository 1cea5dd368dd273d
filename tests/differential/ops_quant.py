"""Makers: quantisation, and products of integers."""

from __future__ import annotations

import numpy as np
from maker import Maker, op
from ops_nn import window

BYTES = (np.int8, np.uint8)


def byte(m: Maker, shape: list[int], dtype: type) -> np.ndarray:
    info = np.iinfo(dtype)
    return m.ints(shape, dtype, info.min, info.max)


def small(m: Maker, shape: list[int], dtype: type) -> np.ndarray:
    """Weights of 7 bits: without VNNI, onnxruntime adds pairs of products of u8 and i8 in 16 bits, which saturates."""
    return m.ints(shape, dtype, 0 if dtype == np.uint8 else -64, 63)


def scale(m: Maker, *shape: int) -> np.ndarray:
    return m.floats(shape, low=0.05, high=0.5)


@op("", "QuantizeLinear")
def quantize_linear(m: Maker) -> None:
    x = m.floats(m.shape(1, 4, empty=0), low=-20, high=20)
    dtype = m.pick(BYTES)
    axis = m.axis(x.ndim)
    per_axis = m.chance(0.4)
    sizes = [x.shape[axis]] if per_axis else []
    inputs = [m.input(x), m.operand(scale(m, *sizes)), m.operand(byte(m, sizes, dtype))]
    m.output(m.node("QuantizeLinear", inputs, **({"axis": axis} if per_axis else {})))


@op("", "DequantizeLinear")
def dequantize_linear(m: Maker) -> None:
    dtype = m.pick((np.int8, np.uint8, np.int32))
    x = m.ints(m.shape(1, 4, empty=0), dtype, 0, 100)
    axis = m.axis(x.ndim)
    per_axis = m.chance(0.4)
    sizes = [x.shape[axis]] if per_axis else []
    inputs = [m.operand(x), m.operand(scale(m, *sizes))]
    if dtype != np.int32 and m.chance(0.7):
        inputs.append(m.operand(byte(m, sizes, dtype)))
    m.output(m.node("DequantizeLinear", inputs, **({"axis": axis} if per_axis else {})))


@op("", "DynamicQuantizeLinear")
def dynamic_quantize_linear(m: Maker) -> None:
    m.output(*m.node("DynamicQuantizeLinear", [m.input(m.floats(m.shape(1, 3, empty=0)))], 3))


@op("", "MatMulInteger")
def mat_mul_integer(m: Maker) -> None:
    kinds = m.pick(BYTES), m.pick(BYTES)
    rows, inner, columns = m.int(1, 6), m.int(1, 6), m.int(1, 6)
    inputs = [m.operand(byte(m, [*m.shape(0, 1, empty=0), rows, inner], kinds[0])), m.operand(small(m, [inner, columns], kinds[1]))]
    if m.chance(0.6):
        inputs += [m.operand(byte(m, [], kinds[0])), m.operand(byte(m, m.pick(([], [columns])), kinds[1]))]
    m.output(m.node("MatMulInteger", inputs))


@op("", "ConvInteger")
def conv_integer(m: Maker) -> None:
    kernel, attributes, sizes = window(m, 2)
    kinds = np.uint8, m.pick(BYTES)
    channels, out = m.int(1, 3), m.int(1, 3)
    inputs = [m.operand(byte(m, [1, channels, *sizes], kinds[0])), m.operand(small(m, [out, channels, *kernel], kinds[1]))]
    if m.chance(0.6):
        inputs.append(m.operand(byte(m, [], kinds[0])))
    m.output(m.node("ConvInteger", inputs, **attributes))


@op("", "QLinearMatMul")
def q_linear_mat_mul(m: Maker) -> None:
    kind = m.pick(BYTES)
    rows, inner, columns = m.int(1, 6), m.int(1, 6), m.int(1, 6)
    inputs = []
    for shape in ([rows, inner], [inner, columns]):
        inputs += [m.operand(small(m, shape, kind)), m.operand(scale(m)), m.operand(byte(m, [], kind))]
    m.output(m.node("QLinearMatMul", [*inputs, m.operand(scale(m) * 10), m.operand(byte(m, [], kind))]))


@op("", "QLinearConv")
def q_linear_conv(m: Maker) -> None:
    kernel, attributes, sizes = window(m, 2)
    kind = m.pick(BYTES)
    channels, out = m.int(1, 3), m.int(1, 3)
    weights = np.int8 if m.chance(0.5) else kind
    inputs = [m.operand(byte(m, [1, channels, *sizes], kind)), m.operand(scale(m)), m.operand(byte(m, [], kind))]
    per_channel = m.pick(([], [out]))
    zero = np.zeros(per_channel, weights) if weights == np.int8 else byte(m, [], weights)
    if weights != np.int8:
        per_channel = []
    inputs += [m.operand(small(m, [out, channels, *kernel], weights)), m.operand(scale(m, *per_channel)), m.operand(zero)]
    inputs += [m.operand(scale(m) * 10), m.operand(byte(m, [], kind))]
    if m.chance(0.4):
        inputs.append(m.operand(m.ints([out], np.int32, -1000, 1000)))
    m.output(m.node("QLinearConv", inputs, **attributes))
