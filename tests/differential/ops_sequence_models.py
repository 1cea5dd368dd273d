"""Makers: attention and layers with a state, as the newest opsets have them; their oracle is the reference of onnx 1.23."""

from __future__ import annotations

from typing import Any

import numpy as np
from maker import Maker, op
from onnx import TensorProto, helper


def newest(m: Maker, opset: int) -> None:
    m.domains[""] = max(m.domains[""], opset)


@op("", "Attention")
def attention(m: Maker) -> None:
    batch, kv_heads, queries, keys, size = m.int(1, 2), m.int(1, 2), m.int(1, 4), m.int(1, 5), m.int(1, 4)
    q_heads = kv_heads * m.pick((1, 1, 2))
    attributes: dict[str, Any] = m.maybe(is_causal=m.int(0, 1), scale=m.number(0.2, 1), softcap=m.number(0.5, 2))
    past = m.int(1, 3) if m.chance(0.3) else 0
    if past:  # of fewer queries than new keys, onnxruntime's causal order is not the reference's
        keys = queries
    flat = m.chance(0.4)
    newest(m, 24)
    if m.chance(0.3):
        newest(m, 25)
        attributes |= m.maybe(left_window_size=m.int(0, 2), right_window_size=m.int(0, 2))
        if attributes.get("is_causal"):
            attributes.pop("right_window_size", None)

    def heads(count: int, length: int) -> np.ndarray:
        return m.floats([batch, length, count * size] if flat else [batch, count, length, size])

    inputs = [m.input(heads(q_heads, queries)), m.input(heads(kv_heads, keys)), m.input(heads(kv_heads, keys)), "", "", ""]
    if flat:
        attributes |= {"q_num_heads": q_heads, "kv_num_heads": kv_heads}
    if m.chance(0.5):
        shape = m.pick(([queries, keys + past], [batch, 1, queries, keys + past]))
        mask = m.bools(shape) if m.chance(0.5) else m.floats(shape)
        inputs[3] = m.operand(mask)
    if past:
        inputs[4:6] = [m.input(m.floats([batch, kv_heads, past, size])) for _ in range(2)]
    m.symbolic = False  # the head size must be known
    m.output(*m.node("Attention", inputs, 3 if past else 1, **attributes) if past else [m.node("Attention", inputs, **attributes)])


@op("", "LinearAttention")
def linear_attention(m: Maker) -> None:
    newest(m, 27)
    m.symbolic = False  # the head size must be known
    batch, steps, heads, group, key, value = m.int(1, 2), m.int(1, 4), m.int(1, 2), m.int(1, 2), m.int(1, 3), m.int(1, 3)
    rule = m.pick(("linear", "gated", "delta", "gated_delta"))
    inputs = [m.input(m.floats([batch, steps, heads * group * key])), m.input(m.floats([batch, steps, heads * key], low=-1, high=1))]
    inputs += [m.input(m.floats([batch, steps, heads * value])), "", "", ""]
    if m.chance(0.5):
        inputs[3] = m.input(m.floats([batch, heads, key, value]))
    if "gated" in rule:
        inputs[4] = m.input(m.floats([batch, steps, m.pick((heads, heads * key))], low=-1, high=0))
    if "delta" in rule:
        inputs[5] = m.input(m.floats([batch, steps, m.pick((heads, 1))], low=0, high=1))
    attributes = m.maybe(scale=m.number(0.2, 1))
    m.output(*m.node("LinearAttention", inputs, 2, q_num_heads=heads * group, kv_num_heads=heads, update_rule=rule, **attributes))


@op("", "CausalConvWithState")
def causal_conv_with_state(m: Maker) -> None:
    newest(m, 27)
    batch, channels, length, taps = m.int(1, 2), m.int(1, 4), m.int(1, 6), m.int(1, 4)
    inputs = [m.input(m.floats([batch, channels, length])), m.constant(m.floats([channels, 1, taps])), "", ""]
    if m.chance(0.5):
        inputs[2] = m.operand(m.floats([channels]))
    if m.chance(0.6):
        inputs[3] = m.input(m.floats([batch, channels, taps - 1]))
    m.output(*m.node("CausalConvWithState", inputs, 2, **m.maybe(activation=m.pick(("none", "silu", "swish")))))


@op("", "SwiGLU")
def swi_glu(m: Maker) -> None:
    newest(m, 28)
    shape = m.shape(0, 4)
    inputs = [m.input(m.floats(shape)), m.input(m.floats(shape))]
    m.output(m.node("SwiGLU", inputs, **m.maybe(alpha=m.number(0.5, 2))))


@op("ai.onnx.preview", "FlexAttention")
def flex_attention(m: Maker) -> None:
    newest(m, 26)
    m.symbolic = False  # the heads and the head size must be known
    batch, kv_heads, queries, keys, size = m.int(1, 2), m.int(1, 2), m.int(1, 4), m.int(1, 4), m.int(1, 4)
    q_heads = kv_heads * m.pick((1, 2))
    inputs = [m.input(m.floats([batch, count, length, size])) for count, length in ((q_heads, queries), (kv_heads, keys), (kv_heads, keys))]
    attributes: dict[str, Any] = m.maybe(scale=m.number(0.2, 1))
    for name, kind in (("score_mod", "Tanh"), ("prob_mod", "Sqrt")):
        if m.chance(0.5):
            x, y = m.name(), m.name()
            infos = [helper.make_tensor_value_info(value, TensorProto.FLOAT, [None] * 4) for value in (x, y)]
            attributes[name] = helper.make_graph([helper.make_node(kind, [x], [y])], m.name(), infos[:1], infos[1:])
    m.output(m.node("FlexAttention", inputs, domain="ai.onnx.preview", **attributes))


@op("", "MaxRoiPool")
def max_roi_pool(m: Maker) -> None:
    batch, count = m.int(1, 2), m.int(1, 3)
    x = m.input(m.floats([batch, m.int(1, 2), m.int(3, 6), m.int(3, 6)]))
    corner = m.floats([count, 2], low=0, high=3)
    rois = np.concatenate([m.ints([count, 1], np.float32, 0, batch - 1), corner, corner + m.floats([count, 2], low=0, high=3)], 1)
    m.output(m.node("MaxRoiPool", [x, m.operand(rois)], pooled_shape=[m.int(1, 3), m.int(1, 3)], **m.maybe(spatial_scale=m.number(0.5, 1))))
