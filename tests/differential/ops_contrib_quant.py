"""Makers: com.microsoft's quantised operators."""

from __future__ import annotations

from typing import Any

import numpy as np
from maker import Maker, op
from onnx import TensorProto
from ops_pointwise import broadcast_pair

MS = "com.microsoft"
BYTES = (np.uint8, np.int8)


def ranked(m: Maker, array: np.ndarray) -> str:
    """An input whose rank is known: it tells the forms of an operator apart."""
    wrap, m.wrap = m.wrap, None
    name = m.input(array)
    m.wrap = wrap
    return name


def q(m: Maker, shape: list[int], dtype: Any) -> np.ndarray:
    """Numbers of the whole range of the type."""
    info = np.iinfo(dtype)
    return m.ints(shape, dtype, info.min, info.max)


def weights(m: Maker, shape: list[int], dtype: Any) -> np.ndarray:
    """The same, but signed ones of 7 bits: without VNNI the products of the reference add pairs in 16 bits, which saturate."""
    return m.ints(shape, dtype, -64, 63) if dtype == np.int8 else q(m, shape, dtype)


def scale(m: Maker, shape: list[int] | None = None, low: float = 0.01, high: float = 0.1) -> str:
    return m.constant(m.floats(shape or [], np.float32, low, high))


def zero(m: Maker, dtype: Any, shape: list[int] | None = None) -> str:
    info = np.iinfo(dtype)
    return m.constant(m.ints(shape or [], dtype, info.min + 90, info.max - 90))


def triple(m: Maker, shape: list[int], dtype: Any, optional: bool = False) -> list[str]:
    """A quantised operand, its scale and its zero point."""
    return [m.operand(q(m, shape, dtype)), scale(m), "" if optional and m.chance(0.3) else zero(m, dtype)]


def almost(m: Maker, y: str) -> None:
    """An output that may differ by one step of its quantisation: kernels that sum, divide or take exponentials in another order, or in
    fixed point, round exact ties and their neighbours to the other side. 16-bit floats, because nothing is put behind these."""
    m.output(m.node("Cast", [m.node("DequantizeLinear", [y, m.constant(np.float32(1.5e-4))])], to=TensorProto.FLOAT16))


def _binary(name: str) -> None:
    @op(MS, name)
    def make(m: Maker) -> None:
        dtype = m.pick(BYTES)
        a, b = broadcast_pair(m)
        y_scale = m.constant(np.float32(m.number(0.02, 0.2)))
        y_zero = [] if m.chance(0.3) else [zero(m, dtype)]
        almost(m, m.node(name, [*triple(m, a, dtype), *triple(m, b, dtype), y_scale, *y_zero], domain=MS))


_binary("QLinearAdd")
_binary("QLinearMul")


def _unary(name: str) -> None:
    @op(MS, name)
    def make(m: Maker) -> None:
        dtype = m.pick(BYTES)
        attributes = m.maybe(alpha=m.number(0, 0.5)) if name == "QLinearLeakyRelu" else {}
        inputs = [*triple(m, m.shape(1, 4), dtype, True), scale(m), zero(m, dtype)]
        almost(m, m.node(name, inputs, domain=MS, **attributes))


_unary("QLinearSigmoid")
_unary("QLinearLeakyRelu")


@op(MS, "QLinearSoftmax")
def q_linear_softmax(m: Maker) -> None:
    dtype, shape = m.pick(BYTES), m.shape(1, 4, empty=0)
    attributes = {"axis": m.axis(len(shape))} if m.chance(0.7) or len(shape) < 2 else {}
    y_scale, y_zero = m.constant(np.float32(1 / 256)), m.constant(np.array(0 if dtype == np.uint8 else -128, dtype))
    inputs = [*triple(m, shape, dtype), y_scale, y_zero]
    almost(m, m.node("QLinearSoftmax", inputs, domain=MS, opset=m.pick((12, 13)), **attributes))


@op(MS, "QLinearWhere")
def q_linear_where(m: Maker) -> None:
    dtype = m.pick(BYTES)
    a, b = broadcast_pair(m)
    condition = m.operand(np.asarray(m.bools(a if m.chance(0.5) else b)))
    almost(m, m.node("QLinearWhere", [condition, *triple(m, a, dtype), *triple(m, b, dtype), scale(m), zero(m, dtype)], domain=MS))


@op(MS, "QLinearConcat")
def q_linear_concat(m: Maker) -> None:
    dtype, shape = m.pick(BYTES), m.shape(1, 4)
    axis = m.axis(len(shape))
    inputs = [scale(m), zero(m, dtype)]
    for _ in range(m.int(1, 3)):
        shape = list(shape)
        shape[axis] = m.int(1, 4)
        inputs += triple(m, shape, dtype)
    almost(m, m.node("QLinearConcat", inputs, domain=MS, axis=axis))


def window(m: Maker, spatial: int) -> dict[str, Any]:
    kernel = [m.int(1, 3) for _ in range(spatial)]
    attributes: dict[str, Any] = {"kernel_shape": kernel}
    if m.chance(0.5):
        attributes["strides"] = [m.int(1, 2) for _ in range(spatial)]
    if m.chance(0.3):
        attributes["auto_pad"] = m.pick(("SAME_UPPER", "SAME_LOWER", "VALID"))
    elif m.chance(0.6):
        attributes["pads"] = [m.int(0, k - 1) for k in kernel * 2]
    return attributes


def image(m: Maker, spatial: int, channels: int, behind: bool) -> list[int]:
    sizes = [m.int(3, 6) for _ in range(spatial)]
    return [m.int(1, 2), *sizes, channels] if behind else [m.int(1, 2), channels, *sizes]


@op(MS, "QLinearAveragePool")
def q_linear_average_pool(m: Maker) -> None:
    dtype, spatial, behind = m.pick(BYTES), m.int(1, 3), m.chance(0.5)
    attributes = window(m, spatial) | m.maybe(count_include_pad=m.int(0, 1), channels_last=1)
    behind = "channels_last" in attributes
    inputs = [*triple(m, image(m, spatial, m.int(1, 4), behind), dtype), scale(m), zero(m, dtype)]
    almost(m, m.node("QLinearAveragePool", inputs, domain=MS, **attributes))


@op(MS, "QLinearGlobalAveragePool")
def q_linear_global_average_pool(m: Maker) -> None:
    dtype, behind = m.pick(BYTES), m.chance(0.5)
    inputs = [*triple(m, image(m, m.int(1, 3), m.int(1, 4), behind), dtype), scale(m), zero(m, dtype)]
    almost(m, m.node("QLinearGlobalAveragePool", inputs, domain=MS, **({"channels_last": 1} if behind else {})))


@op(MS, "NhwcMaxPool")
def nhwc_max_pool(m: Maker) -> None:
    spatial = m.int(1, 3)
    attributes = window(m, spatial)
    if "auto_pad" not in attributes:
        attributes |= m.maybe(ceil_mode=1, dilations=[m.int(1, 2) for _ in range(spatial)])
        attributes["kernel_shape"] = [min(k, 2) for k in attributes["kernel_shape"]]
        if "pads" in attributes:
            attributes["pads"] = [min(p, k - 1) for p, k in zip(attributes["pads"], attributes["kernel_shape"] * 2, strict=True)]
    x = m.input(q(m, image(m, spatial, m.int(1, 5), True), m.pick(BYTES)))
    m.output(m.node("NhwcMaxPool", [x], domain=MS, **attributes))


@op(MS, "QLinearConv")
def q_linear_conv(m: Maker) -> None:
    spatial, groups, behind = m.int(1, 2), m.int(1, 2), m.chance(0.5)
    dtype, channels, filters = m.pick(BYTES), groups * m.int(1, 3), groups * m.int(1, 3)
    w_type = np.int8 if dtype == np.int8 else m.pick(BYTES)
    attributes = window(m, spatial) | ({"group": groups} if groups > 1 else {})
    w = m.constant(weights(m, [filters, channels // groups, *attributes["kernel_shape"]], w_type))
    each = [filters] if m.chance(0.5) else []
    w_zero = m.constant(np.zeros(each, w_type)) if each else zero(m, w_type)
    inputs = [*triple(m, image(m, spatial, channels, behind), dtype), w, scale(m, each, 0.001, 0.01), w_zero, scale(m), zero(m, dtype)]
    if m.chance(0.5):
        inputs.append(m.constant(m.ints([filters], np.int32, -500, 500)))
    almost(m, m.node("QLinearConv", inputs, domain=MS, **attributes, **({"channels_last": 1} if behind else {})))


@op(MS, "QGemm")
def q_gemm(m: Maker) -> None:
    rows, k, columns, a_type = m.int(1, 5), m.int(1, 6), m.int(1, 5), m.pick(BYTES)
    b_type = np.int8 if a_type == np.int8 else m.pick(BYTES)
    attributes = m.maybe(transA=1, transB=1, alpha=m.number(0.5, 2))
    a = m.operand(q(m, [k, rows] if "transA" in attributes else [rows, k], a_type))
    b = m.operand(weights(m, [columns, k] if "transB" in attributes else [k, columns], b_type))
    each = [columns] if m.chance(0.4) else []
    inputs = [a, scale(m), zero(m, a_type), b, scale(m, each, 0.001, 0.01), zero(m, b_type, each)]
    shapes = ([rows, columns], [columns], [1, columns], [1], [rows, 1])
    inputs.append(m.constant(m.ints(m.pick(shapes), np.int32, -500, 500)) if m.chance(0.6) else "")
    if m.chance(0.5):
        almost(m, m.node("QGemm", [*inputs, scale(m), zero(m, a_type)], domain=MS, **attributes))
    else:
        m.output(m.node("QGemm", inputs, domain=MS, **attributes))


def matrices(m: Maker) -> tuple[list[int], list[int]]:
    rows, k, columns = m.int(1, 5), m.int(1, 8), m.int(1, 5)
    batch = m.shape(0, 2, 3, empty=0)
    b = [k, columns] if m.chance(0.7) or not batch else [*batch, k, columns]
    return [*batch, rows, k], b


@op(MS, "DynamicQuantizeMatMul")
def dynamic_quantize_matmul(m: Maker) -> None:
    a, b = matrices(m)
    dtype = m.pick(BYTES)
    each = [b[-1]] if len(b) == 2 and m.chance(0.5) else []
    inputs = [m.input(m.floats(a)), m.constant(weights(m, b, dtype)), scale(m, each), "" if m.chance(0.3) else zero(m, dtype, each)]
    if m.chance(0.5):
        inputs += [""] * (4 - len(inputs)) + [m.constant(m.floats([b[-1]]))]
    m.output(m.node("DynamicQuantizeMatMul", inputs, domain=MS))
    m.rtol = 2e-2  # a step of the scale of A more or less, where a tie falls to the other side


@op(MS, "MatMulIntegerToFloat")
def matmul_integer_to_float(m: Maker) -> None:
    a, b = matrices(m)
    a_type, b_type = m.pick(((np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)))
    each = [b[-1]] if len(b) == 2 and m.chance(0.5) else []
    inputs = [m.operand(q(m, a, a_type)), m.operand(weights(m, b, b_type)), scale(m), scale(m, each)]
    inputs += [zero(m, a_type) if m.chance(0.7) else "", zero(m, b_type, each) if m.chance(0.7) else ""]
    if m.chance(0.5):
        inputs.append(m.operand(m.floats([b[-1]])))
    m.output(m.node("MatMulIntegerToFloat", inputs, domain=MS))


@op(MS, "MatMulInteger16")
def matmul_integer16(m: Maker) -> None:
    a, b = matrices(m)
    left, right = m.ints(a, np.int16, -3000, 3000), m.ints(b, np.int16, -3000, 3000)
    m.output(m.node("MatMulInteger16", [m.input(left), m.operand(right)], domain=MS))


@op(MS, "DynamicQuantizeLSTM")
def dynamic_quantize_lstm(m: Maker) -> None:
    steps, batch, width, hidden = m.int(1, 4), m.int(1, 3), m.int(1, 4), m.int(1, 4)
    direction = m.pick(("forward", "reverse", "bidirectional"))
    directions, dtype = 2 if direction == "bidirectional" else 1, m.pick(BYTES)
    each = [directions] if m.chance(0.5) else [directions, 4 * hidden]

    def packed(rows: int) -> tuple[str, list[str]]:
        middle = 0 if dtype == np.int8 or m.chance(0.5) else 128
        w = m.constant(weights(m, [directions, rows, 4 * hidden], dtype))
        return w, [scale(m, each, 0.001, 0.004), m.constant(np.full(each, middle, dtype))]

    w, w_numbers = packed(width)
    r, r_numbers = packed(hidden)
    state = [directions, batch, hidden]
    inputs = [m.input(m.floats([steps, batch, width])), w, r]
    inputs.append(m.constant(m.floats([directions, 8 * hidden], low=-1, high=1)) if m.chance(0.5) else "")
    inputs.append(m.input(m.ints([batch], np.int32, 1, steps)) if m.chance(0.3) else "")
    inputs += [m.input(m.floats(state, low=-1, high=1)) if m.chance(0.5) else "" for _ in range(2)]
    inputs.append(m.constant(m.floats([directions, 3 * hidden], low=-1, high=1)) if m.chance(0.3) else "")
    outputs = m.node("DynamicQuantizeLSTM", [*inputs, *w_numbers, *r_numbers], 3, domain=MS, hidden_size=hidden, direction=direction)
    # The reference makes 8 bits of the inputs and of the state in every step, we keep them as floats: a few hundredths. 8 makes the
    # tolerance an absolute one, and behind 16-bit floats no operator makes more of the difference.
    for y in outputs:
        m.output(m.node("Cast", [m.node("Add", [y, m.constant(np.float32(8))])], to=TensorProto.FLOAT16))
    m.rtol = 1e-2
