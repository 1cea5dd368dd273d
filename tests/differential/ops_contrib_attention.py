"""Makers: com.microsoft's attention."""

from __future__ import annotations

from typing import Any

import numpy as np
from maker import Maker, op
from ops_contrib_quant import BYTES, MS, q, ranked, weights, zero


def small(m: Maker, *shape: int) -> np.ndarray:
    return m.floats(shape, low=-1, high=1)


def mask(m: Maker, batch: int, steps: int, total: int, starts_too: bool = True) -> str:
    """Every query sees at least one key: with none the huge negative numbers that are added leave few bits of the scores."""
    kind = m.int(0, 4 if starts_too else 3)
    if kind == 0:
        return ""
    if kind == 1:
        return ranked(m, m.ints([batch], np.int32, 1, total))
    if kind == 2:
        allowed = m.ints([batch, total], np.int32, 0, 1)
    elif kind == 3:
        allowed = m.ints([batch, steps, total], np.int32, 0, 1)
    else:
        starts = m.ints([batch], np.int32, 0, total - 1)
        return ranked(m, np.concatenate([np.full(batch, total, np.int32), starts]))
    allowed[..., 0] = 1
    return ranked(m, allowed)


def scores_bias(m: Maker, batch: int, heads: int, steps: int, total: int) -> str:
    if m.chance(0.6):
        return ""
    return ranked(m, small(m, m.pick((1, batch)), m.pick((1, heads)), steps, total))


def _packed(m: Maker, quantised: bool) -> None:
    batch, steps, heads, head, width = m.int(1, 3), m.int(1, 4), m.int(1, 3), m.int(1, 4), m.int(1, 5)
    value_head = head if quantised or m.chance(0.7) else m.int(1, 4)
    sizes = [heads * head, heads * head, heads * value_head]
    before = m.int(1, 3) if value_head == head and m.chance(0.4) else 0
    attributes: dict[str, Any] = {"num_heads": heads} | m.maybe(scale=m.number(0.2, 1), mask_filter_value=-5000.0)
    if value_head != head:
        attributes["qkv_hidden_sizes"] = sizes
    if m.chance(0.4):
        attributes["unidirectional"] = 1
    past = ranked(m, small(m, 2, batch, heads, before, head)) if before else ""
    hidden = mask(m, batch, steps, before + steps)
    if quantised:
        dtype, w_type = np.uint8, m.pick(BYTES)
        each = [3 * heads * head] if m.chance(0.4) else []
        inputs = [ranked(m, q(m, [batch, steps, width], dtype)), m.constant(weights(m, [width, sum(sizes)], w_type))]
        inputs += [m.constant(small(m, sum(sizes))), m.constant(np.float32(m.number(0.002, 0.01)))]
        inputs += [m.constant(m.floats(each, low=0.002, high=0.01)), hidden, zero(m, dtype), zero(m, w_type, each), past]
        name = "QAttention"
    else:
        bias = m.operand(small(m, sum(sizes))) if m.chance(0.7) else ""
        inputs = [ranked(m, small(m, batch, steps, width)), m.operand(small(m, width, sum(sizes))), bias, hidden, past]
        inputs.append("" if before else scores_bias(m, batch, heads, steps, steps))
        name = "Attention"
    outputs = m.node(name, inputs, 2 if past or (head == value_head and m.chance(0.3)) else 1, domain=MS, **attributes)
    m.output(*([outputs] if isinstance(outputs, str) else outputs))


@op(MS, "Attention")
def attention(m: Maker) -> None:
    _packed(m, False)


@op(MS, "QAttention")
def q_attention(m: Maker) -> None:
    _packed(m, True)


@op(MS, "MultiHeadAttention")
def multi_head_attention(m: Maker) -> None:
    batch, steps, heads, head = m.int(1, 3), m.int(1, 4), m.int(1, 3), m.int(1, 4)
    attributes: dict[str, Any] = {"num_heads": heads} | m.maybe(scale=m.number(0.2, 1), mask_filter_value=-5000.0)
    causal = m.chance(0.3)
    keys = steps if causal else m.int(1, 5)
    if causal:
        attributes["unidirectional"] = 1
    width, before, cross = heads * head, 0, not causal and m.chance(0.2)
    value_width = width if cross or m.chance(0.7) else heads * m.int(1, 4)
    inputs = [ranked(m, small(m, batch, steps, width))]
    if cross:
        inputs += [ranked(m, small(m, batch, heads, keys, head)) for _ in range(2)]
    else:
        inputs += [ranked(m, small(m, batch, keys, width)), ranked(m, small(m, batch, keys, value_width))]
        before = m.int(1, 3) if value_width == width and m.chance(0.4) else 0
    inputs.append(m.operand(small(m, 2 * width + value_width)) if m.chance(0.5) else "")
    inputs += [mask(m, batch, steps, before + keys, starts_too=False), scores_bias(m, batch, heads, steps, before + keys)]
    if before:
        inputs += [ranked(m, small(m, batch, heads, before, head)) for _ in range(2)]
    outputs = m.node("MultiHeadAttention", inputs, 3 if before or m.chance(0.3) else 1, domain=MS, **attributes)
    m.output(*([outputs] if isinstance(outputs, str) else outputs))


@op(MS, "DecoderMaskedMultiHeadAttention")
def decoder_masked_multi_head_attention(m: Maker) -> None:
    batch, beams, heads, head = m.int(1, 2), m.int(1, 3), m.int(1, 3), m.int(1, 4)
    rows, width = batch * beams, heads * head
    attributes: dict[str, Any] = {"num_heads": heads} | m.maybe(scale=m.number(0.2, 1), mask_filter_value=-5000.0)
    query = ranked(m, small(m, rows, 1, width))
    bias = m.operand(small(m, 3 * width)) if m.chance(0.4) else ""
    if m.chance(0.3):
        total = m.int(1, 5)
        allowed = m.ints([rows, total], np.int32, 0, 1)
        allowed[:, 0] = 1
        cross = [ranked(m, small(m, rows, heads, total, head)) for _ in range(2)]
        inputs = [query, *cross, ranked(m, allowed) if m.chance(0.5) else "", *[""] * 6, bias]
        m.output(m.node("DecoderMaskedMultiHeadAttention", inputs, domain=MS, **attributes))
        return
    most = m.int(2, 6)
    past = m.int(1, most - 1)
    allowed = m.ints([rows, past + 1], np.int32, 0, 1)
    allowed[:, 0] = 1
    inputs = [query, *[ranked(m, small(m, rows, 1, width)) for _ in range(2)], ranked(m, allowed) if m.chance(0.5) else "", ""]
    inputs += [ranked(m, small(m, rows, heads, most, head)) for _ in range(2)] + [ranked(m, np.array([past], np.int32))]
    if m.chance(0.5):
        inputs += [ranked(m, np.array([beams], np.int32)), ranked(m, m.ints([batch, beams, most], np.int32, 0, beams - 1)), bias]
    else:
        inputs += ["", "", bias]
    outputs = m.node("DecoderMaskedMultiHeadAttention", inputs, 3, domain=MS, past_present_share_buffer=1, **attributes)
    m.output(*outputs)


@op(MS, "GroupQueryAttention")
def group_query_attention(m: Maker) -> None:
    groups, kv_heads, head = m.int(1, 3), m.int(1, 2), m.pick((8, 16))
    heads = groups * kv_heads
    attributes: dict[str, Any] = {"num_heads": heads, "kv_num_heads": kv_heads} | m.maybe(scale=m.number(0.2, 1), softcap=m.number(0.5, 2))
    phase = m.pick(("prompt", "token", "tokens"))
    batch = 1 if phase == "tokens" else m.int(1, 3)
    steps = 1 if phase == "token" else m.int(2, 4)
    before = 0 if phase == "prompt" else m.int(1, 4)
    total = before + steps
    lengths = np.full(batch, total - 1, np.int32)
    if phase == "token":  # the longest of the batch has them all
        lengths[1:] -= m.ints([batch - 1], np.int32, 0, before - 1)
    widths = [heads * head, kv_heads * head, kv_heads * head]
    if m.chance(0.4):
        inputs = [m.input(small(m, batch, steps, sum(widths))), "", ""]
    else:
        inputs = [m.input(small(m, batch, steps, width)) for width in widths]
    if phase == "prompt" and m.chance(0.6):
        inputs += ["", ""]
    else:
        room = before if phase == "prompt" or m.chance(0.5) else total + m.int(0, 3)
        inputs += [m.input(small(m, batch, kv_heads, room, head)) for _ in range(2)]
    inputs += [m.input(lengths), m.constant(np.array(total, np.int32) if m.chance(0.5) else np.array([total], np.int32))]
    rotates = head == 16 and m.chance(0.6)
    half = m.pick((8,))
    inputs += [m.constant(small(m, 16, half)) for _ in range(2)] if rotates else ["", ""]
    if rotates:
        attributes |= {"do_rotary": 1} | m.maybe(rotary_interleaved=1)
    places = before + np.arange(steps)
    inputs.append(m.input(np.repeat(places[None], batch, 0).astype(np.int64)) if rotates and phase == "prompt" and m.chance(0.3) else "")
    inputs.append(scores_bias(m, batch, heads, steps, total) if phase != "token" else "")
    sinks = m.chance(0.3)
    inputs.append(m.operand(small(m, heads)) if sinks else "")
    if not sinks and m.chance(0.3):
        attributes["smooth_softmax"] = 1
    if m.chance(0.3):
        attributes["local_window_size"] = m.int(1, 4)
    elif phase == "prompt" and m.chance(0.2):
        attributes["causal"] = 0
    shown = m.int(0, 2) if m.chance(0.4) else 0
    if shown:
        attributes["qk_output"] = shown
    outputs = m.node("GroupQueryAttention", inputs, 4 if shown else 3, domain=MS, **attributes)
    # Rows of the cache behind the keys of a shorter batch element have no meaning.
    m.output(*([outputs[0], *outputs[3:]] if phase == "token" else outputs))


@op(MS, "RotaryEmbedding")
def rotary_embedding(m: Maker) -> None:
    batch, steps, heads = m.int(1, 3), m.int(1, 4), m.int(1, 3)
    half = m.pick((2, 4))
    head = 2 * half + (2 * m.int(1, 2) if m.chance(0.3) else 0)
    attributes: dict[str, Any] = m.maybe(interleaved=1)
    flat = m.chance(0.6)
    if head != 2 * half:
        attributes |= {"rotary_embedding_dim": 2 * half, "num_heads": heads}
    elif m.chance(0.5):
        attributes["num_heads"] = heads
    positions = m.ints([batch, steps], np.int64, 0, 7) if m.chance(0.6) else m.ints([1], np.int64, 0, 4)
    x = small(m, batch, steps, heads * head) if flat else small(m, batch, heads, steps, head)
    inputs = [ranked(m, x), ranked(m, positions), m.constant(small(m, 8, half)), m.constant(small(m, 8, half))]
    m.output(m.node("RotaryEmbedding", inputs, domain=MS, **attributes))
