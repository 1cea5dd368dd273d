"""Makers: com.microsoft's operators that onnxruntime's CPU provider does not run, with their formulas in NumPy as the oracle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from maker import Maker, reference
from maker import op as any_op
from ops_contrib import activation
from ops_contrib_quant import BYTES, MS, almost, image, q, scale, window, zero
from ops_pointwise import broadcast_pair


def op(domain: str, name: str) -> Callable[[Callable[[Maker], None]], Callable[[Maker], None]]:
    """A maker without ways around: the evaluator of the onnx package does not run all of them."""

    def register(make: Callable[[Maker], None]) -> Callable[[Maker], None]:
        @any_op(domain, name)
        def plain(m: Maker) -> None:
            wrap, m.wrap = m.wrap, None
            make(m)
            m.wrap = wrap

        return plain

    return register


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def erf_gelu(x: np.ndarray) -> np.ndarray:
    return np.asarray(x * 0.5 * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2))))


def softmax(x: np.ndarray, axis: Any) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def as_f32(x: np.ndarray) -> np.ndarray:
    return np.asarray(x).astype(np.float32)


@reference(MS, "BiasAdd")
def _(x: np.ndarray, bias: np.ndarray, skip: np.ndarray) -> np.ndarray:
    return np.asarray(x + bias + skip)


@op(MS, "BiasAdd")
def bias_add(m: Maker) -> None:
    shape = m.shape(2, 4)
    m.output(m.node("BiasAdd", [m.input(m.floats(shape)), m.operand(m.floats(shape[-1:])), m.input(m.floats(shape))], domain=MS))


@reference(MS, "BiasSplitGelu")
def _(x: np.ndarray, bias: np.ndarray) -> np.ndarray:
    left, right = np.split(x + bias, 2, -1)
    return as_f32(left * erf_gelu(right))


@op(MS, "BiasSplitGelu")
def bias_split_gelu(m: Maker) -> None:
    shape = [*m.shape(2, 2), 2 * m.int(1, 4)]
    m.output(m.node("BiasSplitGelu", [m.input(m.floats(shape)), m.operand(m.floats(shape[-1:]))], domain=MS))


@reference(MS, "BiasSoftmax")
def _(data: np.ndarray, bias: np.ndarray, axis: int = 1, is_inner_broadcast: int = 0) -> np.ndarray:
    x = data + bias
    return softmax(x, tuple(range(axis % x.ndim, x.ndim)))


@op(MS, "BiasSoftmax")
def bias_softmax(m: Maker) -> None:
    shape = m.shape(2, 4, empty=0)
    inner = m.int(0, 1)
    bias = [1 if (i > 0) == bool(inner) and i < len(shape) - 1 else d for i, d in enumerate(shape)]
    inputs = [m.input(m.floats(shape)), m.input(m.floats(bias))]
    m.output(m.node("BiasSoftmax", inputs, domain=MS, axis=m.axis(len(shape)), is_inner_broadcast=inner))


@reference(MS, "BiasDropout")
def _(data: np.ndarray, bias: np.ndarray, residual: np.ndarray | None = None, *_: Any) -> tuple[np.ndarray, np.ndarray]:
    y = data + bias + (0 if residual is None else residual)
    return as_f32(y), np.ones(y.shape, bool)


@op(MS, "BiasDropout")
def bias_dropout(m: Maker) -> None:
    shape = m.shape(1, 4)
    inputs = [m.input(m.floats(shape)), m.operand(m.floats(shape[-1:]))]
    if m.chance(0.5):
        inputs.append(m.input(m.floats(shape)))
    m.output(*m.node("BiasDropout", inputs, 2, domain=MS))


def group_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, groups: int, epsilon: float, activation: int, last: int) -> np.ndarray:
    y = np.moveaxis(x, -1, 1) if last else x
    parts = y.reshape(y.shape[0], groups, -1).astype(np.float64)
    parts = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + epsilon)
    per_channel = [1, -1] + [1] * (x.ndim - 2)
    y = parts.reshape(y.shape) * gamma.reshape(per_channel) + beta.reshape(per_channel)
    y = y * sigmoid(y) if activation else y
    return as_f32(np.moveaxis(y, 1, -1) if last else y)


@reference(MS, "GroupNorm")
def _(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, groups: int = 1, epsilon: float = 1e-5, activation: int = 0,
      channels_last: int = 1) -> np.ndarray:  # fmt: skip
    return group_norm(x, gamma, beta, groups, epsilon, activation, channels_last)


@reference(MS, "SkipGroupNorm")
def _(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, skip: np.ndarray, bias: np.ndarray | None = None, groups: int = 1,
      epsilon: float = 1e-5, activation: int = 0, channels_last: int = 1) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    if skip.ndim == 2:
        skip = skip[:, None, None, :]
    total = as_f32(x + skip + (0 if bias is None else bias))
    return group_norm(total, gamma, beta, groups, epsilon, activation, channels_last), total


@op(MS, "GroupNorm")
def group_norm_of(m: Maker) -> None:
    groups = m.int(1, 3)
    channels, last = groups * m.int(1, 3), m.int(0, 1)
    shape = image(m, m.int(1, 2), channels, bool(last))
    inputs = [m.input(m.floats(shape)), *[m.operand(m.floats([channels])) for _ in range(2)]]
    m.output(m.node("GroupNorm", inputs, domain=MS, groups=groups, channels_last=last, activation=m.int(0, 1), **m.maybe(epsilon=1e-3)))


@op(MS, "SkipGroupNorm")
def skip_group_norm(m: Maker) -> None:
    groups = m.int(1, 3)
    channels = groups * m.int(1, 3)
    shape = image(m, 2, channels, True)
    skip = m.pick((shape, [shape[0], 1, 1, channels], [shape[0], channels]))
    inputs = [m.input(m.floats(shape)), *[m.operand(m.floats([channels])) for _ in range(2)], m.input(m.floats(skip))]
    if m.chance(0.5):
        inputs.append(m.constant(m.floats([channels])))
    m.output(*m.node("SkipGroupNorm", inputs, 2, domain=MS, groups=groups, activation=m.int(0, 1)))


@reference(MS, "MulInteger")
def _(a: np.ndarray, a_zero: np.ndarray | None, b: np.ndarray, b_zero: np.ndarray | None = None) -> np.ndarray:
    left, right = a.astype(np.int32), b.astype(np.int32)
    return (left - (0 if a_zero is None else np.int32(a_zero))) * (right - (0 if b_zero is None else np.int32(b_zero)))


@op(MS, "MulInteger")
def mul_integer(m: Maker) -> None:
    a, b = broadcast_pair(m)
    dtype = m.pick(BYTES)
    inputs = [m.input(q(m, a, dtype)), zero(m, dtype) if m.chance(0.6) else ""]
    m.output(m.node("MulInteger", [*inputs, m.operand(q(m, b, dtype)), zero(m, dtype) if m.chance(0.6) else ""], domain=MS))


@reference(MS, "ReduceSumInteger")
def _(x: np.ndarray, axes: list[int] | None = None, keepdims: int = 1) -> np.ndarray:
    wide = np.uint32 if x.dtype == np.uint8 else np.int32
    return np.asarray(x.astype(wide).sum(tuple(axes or ()), keepdims=bool(keepdims), dtype=wide))


@op(MS, "ReduceSumInteger")
def reduce_sum_integer(m: Maker) -> None:
    shape = m.shape(1, 4)
    axes = m.random.sample(range(len(shape)), m.int(1, len(shape)))
    m.output(m.node("ReduceSumInteger", [m.input(q(m, shape, m.pick(BYTES)))], domain=MS, axes=axes, keepdims=m.int(0, 1)))


@reference(MS, "QLinearReduceMean")
def _(x: np.ndarray, x_scale: np.ndarray, x_zero: np.ndarray, y_scale: np.ndarray, y_zero: np.ndarray, axes: list[int] | None = None,
      keepdims: int = 1) -> np.ndarray:  # fmt: skip
    mean = ((x.astype(np.float64) - x_zero) * x_scale).mean(tuple(axes or ()), keepdims=bool(keepdims))
    info = np.iinfo(x.dtype)
    return np.asarray(np.clip(np.rint(mean / y_scale) + y_zero, info.min, info.max).astype(x.dtype))


@op(MS, "QLinearReduceMean")
def q_linear_reduce_mean(m: Maker) -> None:
    shape, dtype = m.shape(1, 4, empty=0), m.pick(BYTES)
    axes = m.random.sample(range(len(shape)), m.int(1, len(shape)))
    inputs = [m.input(q(m, shape, dtype)), scale(m), zero(m, dtype), scale(m), zero(m, dtype)]
    almost(m, m.node("QLinearReduceMean", inputs, domain=MS, axes=axes, keepdims=m.int(0, 1)))


def _complex(name: str, conjugate: bool) -> None:
    @reference(MS, name)
    def _(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        left, right = a[..., 0] + 1j * a[..., 1], b[..., 0] + 1j * b[..., 1]
        y = left * (np.conj(right) if conjugate else right)
        return as_f32(np.stack([y.real, y.imag], -1))

    @op(MS, name)
    def make(m: Maker) -> None:
        a, b = broadcast_pair(m)
        m.output(m.node(name, [m.input(m.floats([*a, 2])), m.operand(m.floats([*b, 2]))], domain=MS))


_complex("ComplexMul", False)
_complex("ComplexMulConj", True)


@reference(MS, "IsAllFinite")
def _(*inputs: np.ndarray, isinf_only: int = 0, isnan_only: int = 0) -> np.ndarray:
    test = np.isinf if isinf_only else np.isnan if isnan_only else lambda x: ~np.isfinite(x)
    return np.array(not any(test(x).any() for x in inputs))


@op(MS, "IsAllFinite")
def is_all_finite(m: Maker) -> None:
    inputs = []
    for _ in range(m.int(1, 3)):
        x = m.floats(m.shape(0, 3))
        if x.size and m.chance(0.3):
            x.reshape(-1)[m.int(0, x.size - 1)] = m.pick((np.inf, -np.inf, np.nan))
        inputs.append(m.input(x))
    m.output(m.node("IsAllFinite", inputs, domain=MS, **m.pick(({}, {"isinf_only": 1}, {"isnan_only": 1}))))


@reference(MS, "Rfft")
def _(x: np.ndarray, **_: Any) -> np.ndarray:
    y = np.fft.rfft(x)
    return as_f32(np.stack([y.real, y.imag], -1))


@op(MS, "Rfft")
def rfft(m: Maker) -> None:
    m.output(m.node("Rfft", [m.input(m.floats([*m.shape(0, 3), m.int(1, 6)]))], domain=MS, signal_ndim=1))


@reference(MS, "Irfft")
def _(x: np.ndarray, **_: Any) -> np.ndarray:
    return as_f32(np.fft.irfft(x[..., 0] + 1j * x[..., 1]))


@op(MS, "Irfft")
def irfft(m: Maker) -> None:
    m.output(m.node("Irfft", [m.input(m.floats([*m.shape(0, 3), m.int(2, 6), 2]))], domain=MS, signal_ndim=1))


@reference(MS, "GemmFastGelu")
def _(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    y = x @ w + (0 if bias is None else bias)
    return as_f32(0.5 * y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3))))


@op(MS, "GemmFastGelu")
def gemm_fast_gelu(m: Maker) -> None:
    k, columns = m.int(1, 5), m.int(1, 5)
    inputs = [m.input(m.floats([*m.shape(1, 3), k])), m.operand(m.floats([k, columns]))]
    m.output(m.node("GemmFastGelu", [*inputs, *([m.operand(m.floats([columns]))] if m.chance(0.5) else [])], domain=MS))


@reference(MS, "TorchEmbedding")
def _(weight: np.ndarray, indices: np.ndarray, *_: Any) -> np.ndarray:
    return np.asarray(weight[indices])


@op(MS, "TorchEmbedding")
def torch_embedding(m: Maker) -> None:
    rows = m.int(1, 5)
    m.output(m.node("TorchEmbedding", [m.operand(m.floats([rows, m.int(1, 4)])), m.input(m.ints(m.shape(0, 3), high=rows - 1))], domain=MS))


@reference(MS, "GatedRelativePositionBias")
def _(layer: np.ndarray, layer_bias: np.ndarray, rel_pos: np.ndarray, weight: np.ndarray, bias: np.ndarray, eco_a: np.ndarray,
      num_heads: int = 1) -> np.ndarray:  # fmt: skip
    batch, steps, width = layer.shape
    heads = (layer + layer_bias).reshape(batch, steps, num_heads, width // num_heads).transpose(0, 2, 1, 3)
    gates = (heads @ weight + bias).reshape(batch, num_heads, steps, 2, -1).sum(-1)
    u, v = sigmoid(gates[..., :1]), sigmoid(gates[..., 1:])
    return as_f32((u * (v * eco_a - 1) + 2) * rel_pos)


@op(MS, "GatedRelativePositionBias")
def gated_relative_position_bias(m: Maker) -> None:
    batch, steps, heads, head, gates = m.int(1, 3), m.int(1, 4), m.int(1, 3), m.int(1, 4), 2 * m.int(1, 4)
    shapes = ([heads * head], [1, heads, steps, steps], [head, gates], [gates], [1, heads, 1, 1])
    inputs = [m.input(m.floats([batch, steps, heads * head])), *[m.operand(m.floats(shape)) for shape in shapes]]
    m.output(m.node("GatedRelativePositionBias", inputs, domain=MS, num_heads=heads))


@reference(MS, "RelativePositionBias")
def _(table: np.ndarray, rows: np.ndarray, columns: np.ndarray, max_distance: int = 1, is_bidirectional: int = 0) -> np.ndarray:
    rows, columns = rows.reshape(()), columns.reshape(())
    buckets = table.shape[0] // 2 if is_bidirectional else table.shape[0]
    y = np.zeros((1, table.shape[1], int(rows), int(columns)), np.float32)
    for i in range(int(rows)):
        for j in range(int(columns)):
            far, exact = abs(j - i) if is_bidirectional else max(i - j, 0), buckets // 2
            at = far
            if far >= exact:
                ratio = np.log(np.float32(far) / np.float32(exact)) / np.log(np.float32(max_distance) / np.float32(exact))
                at = min(exact + int(ratio * np.float32(buckets - exact)), buckets - 1)
            y[0, :, i, j] = table[at + (buckets if is_bidirectional and j > i else 0)]
    return y


@op(MS, "RelativePositionBias")
def relative_position_bias(m: Maker) -> None:
    table = m.constant(m.floats([m.pick((8, 10, 32)), m.int(1, 3)]))
    lengths = [m.input(np.array([m.int(1, 12)] if m.chance(0.5) else m.int(1, 12), np.int64)) for _ in range(2)]
    # Distances up to 12 do not fall on the border of two buckets with this.
    m.output(m.node("RelativePositionBias", [table, *lengths], domain=MS, max_distance=23, **m.maybe(is_bidirectional=1)))


def _nhwc(name: str) -> None:
    @reference(MS, name)
    def _(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None = None, z: np.ndarray | None = None, activation: str = "",
          activation_params: list[float] | None = None, group: int = 1, pads: list[int] | None = None, strides: list[int] | None = None,
          dilations: list[int] | None = None, kernel_shape: list[int] | None = None) -> np.ndarray:  # fmt: skip
        spatial = w.ndim - 2
        if name == "NhwcConv" and list(w.shape[1:-1]) == kernel_shape:  # as onnxruntime's optimiser writes them
            w = np.moveaxis(w, -1, 1)
        pads, strides = pads or [0] * 2 * spatial, strides or [1] * spatial
        wide = np.pad(x.astype(np.float64), [(0, 0), *[(pads[i], pads[i + spatial]) for i in range(spatial)], (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(wide, w.shape[2:], tuple(range(1, spatial + 1)))
        windows = windows[(slice(None), *[slice(None, None, s) for s in strides])]  # [n, out..., c, kernel...]
        per_group, filters = w.shape[1], w.shape[0] // group
        parts = []
        for g in range(group):
            part = np.take(windows, range(g * per_group, (g + 1) * per_group), axis=spatial + 1)
            axes = list(range(spatial + 1, 2 * spatial + 2))
            parts.append(np.tensordot(part, w[g * filters : (g + 1) * filters].astype(np.float64), (axes, list(range(1, spatial + 2)))))
        y = np.concatenate(parts, -1) + (0 if bias is None else bias) + (0 if z is None else z)
        p = list(activation_params or [])
        forms: dict[str, Callable[[np.ndarray], Any]] = {
            "": lambda t: t,
            "Relu": lambda t: np.maximum(t, 0),
            "Tanh": np.tanh,
            "Sigmoid": sigmoid,
            "LeakyRelu": lambda t: np.where(t < 0, t * p[0], t),
            "Clip": lambda t: np.clip(t, p[0], p[1]),
            "HardSigmoid": lambda t: np.clip(t * p[0] + p[1], 0, 1),
        }
        return as_f32(forms[activation](y))

    @op(MS, name)
    def make(m: Maker) -> None:
        groups, spatial = m.int(1, 2), m.int(1, 2)
        channels, filters = groups * m.int(1, 3), groups * m.int(1, 3)
        attributes: dict[str, Any] = {key: value for key, value in window(m, spatial).items() if key != "auto_pad"}
        if groups > 1:
            attributes["group"] = groups
        w_shape = [filters, channels // groups, *attributes["kernel_shape"]]
        if name == "NhwcConv" and m.chance(0.7):
            w_shape = [filters, *attributes["kernel_shape"], channels // groups]
        w = m.constant(m.floats(w_shape))
        inputs = [m.input(m.floats(image(m, spatial, channels, True))), w]
        if m.chance(0.5):
            inputs.append(m.operand(m.floats([filters])))
        m.output(m.node(name, inputs, domain=MS, **attributes, **(activation(m) if name == "NhwcFusedConv" else {})))


_nhwc("NhwcConv")
_nhwc("NhwcFusedConv")
