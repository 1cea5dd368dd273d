"""Makers: com.microsoft's small fused operators of recent language models."""

from __future__ import annotations

from typing import Any

import numpy as np
from maker import Maker, op
from ops_contrib_quant import MS, ranked


@op(MS, "ScaledSiLU")
def scaled_silu(m: Maker) -> None:
    inputs = [m.input(m.floats(m.shape(1, 4)))] + ([m.operand(np.array(m.number(0.5, 2), np.float32))] if m.chance(0.5) else [])
    m.output(m.node("ScaledSiLU", inputs, domain=MS, **m.maybe(alpha=m.number(0.5, 2))))


@op(MS, "GatedAdd")
def gated_add(m: Maker) -> None:
    shape = m.shape(1, 4, empty=0)
    m.output(m.node("GatedAdd", [m.input(m.floats(s)) for s in (shape, shape, [*shape[:-1], 1])], domain=MS))


@op(MS, "GatedRMSNorm")
def gated_rms_norm(m: Maker) -> None:
    width = m.int(1, 5)
    shape = [*m.shape(1, 3, empty=0), width * m.int(1, 3)]
    inputs = [m.input(m.floats(shape)), m.operand(m.floats([width])), m.input(m.floats(shape))]
    m.output(m.node("GatedRMSNorm", inputs, domain=MS, **m.maybe(activation=m.pick(("silu", "swish", "sigmoid")), epsilon=1e-3)))


@op(MS, "BranchwiseRMSNorm")
def branchwise_rms_norm(m: Maker) -> None:
    branches, width = m.int(1, 3), m.int(2, 5)
    lead, flat = m.shape(1, 2, empty=0), m.chance(0.5)
    x = ranked(m, m.floats([*lead, branches * width] if flat else [*lead, branches, width]))
    scale = [m.constant(m.floats(m.pick(([branches * width], [branches, width], [width]))))] if m.chance(0.7) else []
    m.output(m.node("BranchwiseRMSNorm", [x, *scale], domain=MS, **({"num_branches": branches} if flat else {}), **m.maybe(epsilon=1e-3)))


@op(MS, "LinearAttentionGate")
def linear_attention_gate(m: Maker) -> None:
    shape = [m.int(1, 3), m.int(1, 4), m.int(1, 4)]
    inputs = [m.input(m.floats(shape)), m.constant(m.floats(shape[-1:])), m.constant(m.floats(shape[-1:], low=-2, high=0))]
    if m.chance(0.5):
        m.output(*m.node("LinearAttentionGate", [*inputs, m.input(m.floats(shape))], 2, domain=MS))
    else:
        m.output(m.node("LinearAttentionGate", inputs, domain=MS))


@op(MS, "LinearAttention")
def linear_attention(m: Maker) -> None:
    batch, steps, kv_heads, key, value = m.int(1, 2), m.int(1, 4), m.int(1, 2), m.int(1, 4), m.int(1, 4)
    heads = kv_heads * m.int(1, 2)
    rule = m.pick(("linear", "gated", "delta", "gated_delta"))
    shapes = ([batch, steps, heads * key], [batch, steps, kv_heads * key], [batch, steps, kv_heads * value])
    inputs = [ranked(m, m.floats(shape, low=-1, high=1)) for shape in shapes]
    inputs.append(ranked(m, m.floats([batch, kv_heads, key, value], low=-1, high=1)) if m.chance(0.5) else "")
    inputs.append(ranked(m, m.floats([batch, steps, kv_heads * m.pick((1, key))], low=-1, high=0)) if "gated" in rule else "")
    inputs.append(ranked(m, m.floats([batch, steps, m.pick((1, kv_heads))], low=0, high=1)) if "delta" in rule else "")
    attributes = {"q_num_heads": heads, "kv_num_heads": kv_heads, "update_rule": rule} | m.maybe(scale=m.number(0.2, 1))
    m.symbolic = False  # the sizes of the heads must be known
    m.output(*m.node("LinearAttention", inputs, 2, domain=MS, **attributes))


@op(MS, "CausalConvWithState")
def causal_conv_with_state(m: Maker) -> None:
    batch, channels, steps, taps = m.int(1, 3), m.int(1, 4), m.int(1, 5), m.int(1, 4)
    attributes: dict[str, Any] = m.maybe(activation=m.pick(("silu", "swish", "none")), dilation=m.int(1, 2), channels_last=1)
    length = (taps - 1) * attributes.get("dilation", 1)

    def layout(size: int) -> list[int]:
        return [batch, size, channels] if "channels_last" in attributes else [batch, channels, size]

    inputs = [ranked(m, m.floats(layout(steps))), m.constant(m.floats([channels, 1, taps]))]
    inputs += [m.operand(m.floats([channels])) if m.chance(0.5) else "", ranked(m, m.floats(layout(length))) if m.chance(0.5) else ""]
    m.output(*m.node("CausalConvWithState", inputs, 2, domain=MS, **attributes))


@op(MS, "MRotaryEmbedding")
def m_rotary_embedding(m: Maker) -> None:
    batch, steps, heads, layout = m.int(1, 2), m.int(1, 3), m.int(1, 3), m.int(0, 1)
    sections = [m.int(1, 3) for _ in range(3)] if layout == 0 else [m.int(2, 3), 2, 2]
    half = sum(sections)
    flat = m.chance(0.6)
    x = m.floats([batch, steps, heads * 2 * half] if flat else [batch, heads, steps, 2 * half])
    inputs = [ranked(m, x), m.input(m.ints([3, batch, steps], high=7)), *[m.constant(m.floats([8, half])) for _ in range(2)]]
    attributes = {"mrope_section": sections, "mrope_layout": layout} | m.maybe(interleaved=1) | ({"num_heads": heads} if flat else {})
    m.output(m.node("MRotaryEmbedding", inputs, domain=MS, **attributes))
