"""Makers: com.microsoft's operators on floats; the files beside this one have the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from maker import INTS, Maker, op
from ops_contrib_quant import MS, image, q, ranked, window


@op(MS, "Gelu")
def gelu(m: Maker) -> None:
    m.output(m.node("Gelu", [m.input(m.floats(m.shape(0, 4)))], domain=MS))


@op(MS, "QuickGelu")
def quick_gelu(m: Maker) -> None:
    m.output(m.node("QuickGelu", [m.input(m.floats(m.shape(0, 4)))], domain=MS, **m.maybe(alpha=m.number(0.5, 2))))


def _with_bias(name: str) -> None:
    @op(MS, name)
    def make(m: Maker) -> None:
        shape = m.shape(1, 4)
        inputs = [m.input(m.floats(shape))]
        if name == "BiasGelu" or m.chance(0.6):
            inputs.append(m.operand(m.floats(shape[-1:])))
        m.output(m.node(name, inputs, domain=MS))


_with_bias("BiasGelu")
_with_bias("FastGelu")


def activation(m: Maker) -> dict[str, Any]:
    name = m.pick(("Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid"))
    low = m.number(-1, 1)
    parameters = {"LeakyRelu": [m.number(0, 0.5)], "Clip": [low, low + 1], "HardSigmoid": [m.number(0.1, 1), m.number(0, 1)]}
    return {"activation": name} | ({"activation_params": parameters[name]} if name in parameters else {})


@op(MS, "FusedConv")
def fused_conv(m: Maker) -> None:
    spatial, groups = m.int(1, 2), m.int(1, 2)
    channels, filters = groups * m.int(1, 3), groups * m.int(1, 3)
    attributes: dict[str, Any] = {"kernel_shape": [1] * spatial} if m.chance(0.4) else window(m, spatial)
    sums = "pads" not in attributes and "strides" not in attributes and attributes["kernel_shape"] == [1] * spatial
    x = image(m, spatial, channels, False)
    inputs = [m.input(m.floats(x)), m.constant(m.floats([filters, channels // groups, *attributes["kernel_shape"]]))]
    inputs.append(m.operand(m.floats([filters])) if m.chance(0.6) else "")
    if sums and m.chance(0.7):
        inputs.append(m.input(m.floats([x[0], filters, *x[2:]])))
    m.output(m.node("FusedConv", inputs, domain=MS, **attributes, **activation(m), **({"group": groups} if groups > 1 else {})))


@op(MS, "FusedGemm")
def fused_gemm(m: Maker) -> None:
    rows, k, columns = m.int(1, 5), m.int(1, 6), m.int(1, 5)
    attributes: dict[str, Any] = m.maybe(transA=1, transB=1, alpha=m.number(0.5, 2), beta=m.number(0.5, 2))
    attributes["activation"] = m.pick(("Relu", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "HardSigmoid", "Softplus", "Softsign"))
    if attributes["activation"] in ("LeakyRelu", "Elu", "HardSigmoid"):
        attributes["activation_alpha"] = m.number(0.1, 1)
    if attributes["activation"] == "HardSigmoid":
        attributes["activation_beta"] = m.number(0, 1)
    a = m.floats([k, rows] if "transA" in attributes else [rows, k])
    b = m.floats([columns, k] if "transB" in attributes else [k, columns])
    inputs = [m.input(a), m.operand(b)]
    if m.chance(0.6):
        inputs.append(m.operand(m.floats(m.pick(([rows, columns], [columns], [1, columns], [rows, 1], [])))))
    m.output(m.node("FusedGemm", inputs, domain=MS, **attributes))


def _product(name: str) -> None:
    @op(MS, name)
    def make(m: Maker) -> None:
        rows, k, columns, batch = m.int(1, 5), m.int(1, 6), m.int(1, 5), m.shape(0, 2, 3, empty=0)
        attributes: dict[str, Any] = m.maybe(transA=1, transB=1, alpha=m.number(0.5, 2))
        shapes = []
        for key, (first, last) in (("A", (rows, k)), ("B", (k, columns))):
            pair = [last, first] if f"trans{key}" in attributes else [first, last]
            if name == "FusedMatMul" and batch and m.chance(0.3):
                attributes[f"transBatch{key}"] = 1
                pair = [pair[0], *batch, pair[1]]
            else:
                pair = [*batch, *pair]
            shapes.append(pair)
        m.output(m.node(name, [m.input(m.floats(shapes[0])), m.operand(m.floats(shapes[1]))], domain=MS, **attributes))


_product("FusedMatMul")
_product("TransposeMatMul")


def _skip(name: str, rms: bool) -> None:
    @op(MS, name)
    def make(m: Maker) -> None:
        shape = [m.int(1, 3), m.int(1, 4), m.int(2, 6)]
        skip = m.pick((shape, [1, *shape[1:]], shape[1:]))
        width = [shape[-1]]
        inputs = [m.input(m.floats(shape)), m.input(m.floats(skip)), m.operand(m.floats(width))]
        inputs += [] if rms else [m.operand(m.floats(width)) if m.chance(0.7) else ""]
        if m.chance(0.5):
            inputs.append(m.operand(m.floats(width)))
        outputs = m.node(name, inputs, 4, domain=MS, epsilon=m.pick((1e-12, 1e-5, 1e-2)))
        m.output(outputs[0])
        if m.chance(0.5):
            m.output(outputs[3])


_skip("SkipLayerNormalization", False)
_skip("SkipSimplifiedLayerNormalization", True)


@op("", "SimplifiedLayerNormalization")
def simplified_layer_normalization(m: Maker) -> None:
    shape = m.shape(1, 4, empty=0)
    m.output(m.node("SimplifiedLayerNormalization", [m.input(m.floats(shape)), m.operand(m.floats(shape[-1:]))], axis=-1, epsilon=1e-5))


@op(MS, "EmbedLayerNormalization")
def embed_layer_normalization(m: Maker) -> None:
    batch, steps, width = m.int(1, 3), m.int(1, 4), m.int(2, 6)

    def table(rows: int) -> str:
        return m.constant(m.floats([rows, width]))

    def ids(low: int, high: int) -> str:
        return m.input(m.ints([batch, steps], np.int32, low, high))

    segments, masked = m.chance(0.5), m.chance(0.6)
    inputs = [ids(0, 5), ids(0, 1) if segments else "", table(6), table(5), table(2) if segments else ""]
    inputs += [m.constant(m.floats([width])), m.constant(m.floats([width])), ids(0, 1) if masked else ""]
    inputs.append(ids(0, 4) if m.chance(0.4) else "")
    outputs = m.node("EmbedLayerNormalization", inputs, 3, domain=MS, **m.maybe(epsilon=1e-5))
    m.output(*(outputs if m.chance(0.5) else outputs[:2]))


@op(MS, "QEmbedLayerNormalization")
def q_embed_layer_normalization(m: Maker) -> None:
    batch, steps, width, dtype = m.int(1, 3), m.int(1, 4), m.int(2, 6), m.pick((np.uint8, np.int8))
    shapes = ([6, width], [5, width], [2, width], [width], [width])
    segments = m.chance(0.5)
    ids = [m.input(m.ints([batch, steps], np.int32, 0, high)) for high in (5, 1, 1)]
    tables = [m.constant(q(m, shape, dtype)) for shape in shapes]
    scales = [m.constant(np.float32(m.number(0.01, 0.05))) for _ in shapes]
    zeros = [m.constant(m.ints([], dtype, 0, 100)) for _ in shapes]
    if not segments:
        ids[1] = tables[2] = scales[2] = zeros[2] = ""
    inputs = [*ids[:2], *tables, ids[2] if m.chance(0.6) else "", *scales, *zeros]
    m.output(*m.node("QEmbedLayerNormalization", inputs, 2, domain=MS, **m.maybe(epsilon=1e-5)))


@op(MS, "QuantizeLinear")
def quantize_linear(m: Maker) -> None:
    shape, dtype = m.shape(1, 4), m.pick((np.uint8, np.int8, np.uint16, np.int16))
    axis = m.axis(len(shape))
    each = [shape[axis]] if m.chance(0.5) else []
    zero = m.constant(m.ints(each, dtype, 0, 100))
    inputs = [m.input(m.floats(shape)), m.constant(m.floats(each, low=0.02, high=0.1)), zero]
    m.output(m.node("QuantizeLinear", inputs, domain=MS, **({"axis": axis} if each else {})))


@op(MS, "DequantizeLinear")
def dequantize_linear(m: Maker) -> None:
    shape, dtype = m.shape(1, 4), m.pick((np.uint8, np.int8, np.uint16, np.int16))
    axis = m.axis(len(shape))
    each = [shape[axis]] if m.chance(0.5) else []
    zero = m.constant(m.ints(each, dtype, 0, 100))
    inputs = [m.input(m.ints(shape, dtype, 0, 120)), m.constant(m.floats(each, low=0.02, high=0.1)), zero]
    m.output(m.node("DequantizeLinear", inputs, domain=MS, **({"axis": axis} if each else {})))


@op(MS, "GridSample")
def grid_sample(m: Maker) -> None:
    batch = m.int(1, 2)
    x, grid = m.floats([batch, m.int(1, 3), m.int(1, 5), m.int(1, 5)]), m.floats([batch, m.int(1, 4), m.int(1, 4), 2], low=-1.3, high=1.3)
    attributes = m.maybe(mode="bilinear", padding_mode=m.pick(("zeros", "border", "reflection")), align_corners=1)
    if m.chance(0.3):
        attributes |= {"mode": "bicubic", "padding_mode": "zeros"}
    m.output(m.node("GridSample", [m.input(x), m.input(grid)], domain=MS, **attributes))


@op(MS, "CDist")
def cdist(m: Maker) -> None:
    k = m.int(1, 5)
    # Apart: onnxruntime computes a² - 2ab + b², of which nothing is left where two points nearly meet.
    a, b = m.floats([m.int(1, 5), k], low=-3, high=-0.5), m.floats([m.int(1, 5), k], low=0.5, high=3)
    m.output(m.node("CDist", [m.input(a), m.operand(b)], domain=MS, metric=m.pick(("sqeuclidean", "euclidean"))))


@op(MS, "Inverse")
def inverse(m: Maker) -> None:
    n, dtype = m.int(1, 4), m.pick((np.float32, np.float64))
    batch = m.shape(0, 2, 3)
    x = m.floats([*batch, n, n], dtype, -1, 1) + 3 * np.eye(n, dtype=dtype)
    m.output(m.node("Inverse", [m.input(x.astype(dtype))], domain=MS))


@op(MS, "ExpandDims")
def expand_dims(m: Maker) -> None:
    shape = m.shape(0, 4)
    x = m.input(m.ints(shape, m.pick(INTS)))
    m.output(m.node("ExpandDims", [x, m.constant(np.array(m.int(-len(shape) - 1, len(shape)), np.int32))], domain=MS))


@op(MS, "Trilu")
def trilu(m: Maker) -> None:
    x = [m.input(m.floats(m.shape(2, 4)))]
    k = [m.operand(np.array(m.int(-3, 3), np.int64))] if m.chance(0.6) else []
    m.output(m.node("Trilu", x + k, domain=MS, **m.maybe(upper=0)))


@op(MS, "Unique")
def unique(m: Maker) -> None:
    x = m.input(m.ints([m.int(1, 8)], np.int64, 0, 4).astype(np.float32))
    m.output(*m.node("Unique", [x], 3, domain=MS))


@op(MS, "GatherND")
def gather_nd(m: Maker) -> None:
    data = m.shape(1, 4, empty=0)
    last = m.int(1, len(data))
    shape = m.shape(0, 2, 3, empty=0)
    indices = np.stack([m.ints(shape, np.int64, 0, data[i] - 1) for i in range(last)], -1).astype(m.pick((np.int32, np.int64)))
    m.output(m.node("GatherND", [m.input(m.floats(data)), m.input(indices)], domain=MS))


@op(MS, "Pad")
def pad(m: Maker) -> None:
    shape = m.shape(1, 4, empty=0)
    mode = m.pick(("constant", "edge", "reflect"))
    pads = np.array([m.int(0, min(2, d - 1) if mode == "reflect" else 2) for d in shape * 2], np.int64)
    value = [m.operand(np.array([m.number(-1, 1)], np.float32))] if mode == "constant" and m.chance(0.5) else []
    m.output(m.node("Pad", [m.input(m.floats(shape)), m.operand(pads if m.chance(0.7) else pads[None]), *value], domain=MS, mode=mode))


@op(MS, "Range")
def range_of(m: Maker) -> None:
    dtype, start = m.pick((np.float32, np.int64, np.int32)), m.int(-5, 5)
    step = m.pick((-2, 1, 3)) if m.chance(0.6) else None
    length = m.int(0, 6) * (step or 1)
    numbers = [np.array(v, dtype) for v in (start, start + length, step) if v is not None]
    m.output(m.node("Range", [m.input(v[None]) if m.chance(0.3) else m.input(v) for v in numbers], domain=MS))


@op(MS, "UnfoldTensor")
def unfold_tensor(m: Maker) -> None:
    shape = m.shape(1, 4, 6, empty=0)
    dim = m.axis(len(shape))
    x = ranked(m, m.ints(shape, m.pick((np.int32, np.float32))))
    m.output(m.node("UnfoldTensor", [x], domain=MS, dim=dim, size=m.int(1, shape[dim]), **m.maybe(step=m.int(1, 3))))


@op(MS, "SampleOp")
def sample_op(m: Maker) -> None:
    m.output(m.node("SampleOp", [m.input(m.floats(m.shape(0, 4)))], domain=MS))


@op(MS, "NGramRepeatBlock")
def ngram_repeat_block(m: Maker) -> None:
    batch, length = m.int(1, 3), m.int(1, 10)
    ids = m.input(m.ints([batch, length], np.int64, 0, 2))
    scores = m.floats([batch, 4])
    y = m.node("NGramRepeatBlock", [ids, m.input(scores)], domain=MS, ngram_size=m.int(1, length))
    m.output(m.node("IsInf", [y]), m.node("Softmax", [m.node("Max", [y, m.constant(np.float32(-9))])]))


@op(MS, "CropAndResize")
def crop_and_resize(m: Maker) -> None:
    batch, rois = m.int(1, 2), m.int(1, 3)
    x = m.floats([batch, m.int(1, 3), m.int(2, 5), m.int(2, 5)])
    inputs = [m.input(x), m.input(m.floats([rois, 4], low=-0.2, high=1.2)), m.input(m.ints([rois], np.int32, 0, batch - 1))]
    inputs.append(m.constant(m.ints([2], np.int32, 1, 4)))
    m.output(m.node("CropAndResize", inputs, domain=MS, **m.maybe(extrapolation_value=m.number(-1, 1), mode="bilinear")))


@op(MS, "ConvTransposeWithDynamicPads")
def conv_transpose_with_dynamic_pads(m: Maker) -> None:
    channels, filters, kernel = m.int(1, 3), m.int(1, 3), m.int(1, 3)
    x = m.input(m.floats([1, channels, m.int(2, 4), m.int(2, 4)]))
    inputs = [x, m.constant(m.floats([channels, filters, kernel, kernel])), m.constant(m.ints([4], np.int64, 0, kernel // 2))]
    if m.chance(0.5):
        inputs.append(m.operand(m.floats([filters])))
    strides = {"strides": [m.int(1, 2)] * 2} if m.chance(0.5) else {}
    m.output(m.node("ConvTransposeWithDynamicPads", inputs, domain=MS, kernel_shape=[kernel] * 2, **strides))
