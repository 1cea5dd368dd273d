"""Makers: com.microsoft's weights of a few bits, and its mixtures of experts."""

from __future__ import annotations

from typing import Any

import numpy as np
from maker import Maker, op
from ops_contrib_quant import MS


def packed_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """[..., n] → bytes [..., ceil(n · bits / 8)], the first in the low bits."""
    per_byte = 8 // bits
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % per_byte)]).astype(np.uint32)
    apart = padded.reshape(*padded.shape[:-1], -1, per_byte) << (np.arange(per_byte) * bits)
    return np.asarray(apart.sum(-1).astype(np.uint8))


@op(MS, "MatMulNBits")
def matmul_n_bits(m: Maker) -> None:
    bits, block, rows, k = m.pick((4, 4, 8, 2)), m.pick((16, 32)), m.int(1, 6), m.int(1, 70)
    blocks = -(-k // block)
    b = packed_bits(m.ints([rows, blocks, block], np.uint8, 0, 2**bits - 1), bits)
    a = m.shape(1, 2, 3, empty=0)
    inputs = [m.input(m.floats([*a, k])), m.constant(b), m.constant(m.floats([rows * blocks], low=0.01, high=0.1))]
    zeros = packed_bits(m.ints([rows, blocks], np.uint8, 0, 2**bits - 1), bits)
    grouped = bits == 4 and m.chance(0.2)
    if bits == 4 and m.chance(0.25):
        inputs.append(m.constant(m.floats([rows * blocks], low=0, high=15)))
    else:  # the reference leaves packed zero points out where there are groups
        inputs.append(m.constant(zeros.reshape(-1)) if not grouped and m.chance(0.5) else "")
    inputs.append(m.constant(m.ints([blocks * block], np.int32, 0, blocks - 1)) if grouped else "")
    inputs.append(m.constant(m.floats([rows])) if m.chance(0.3) else "")
    m.output(m.node("MatMulNBits", inputs, domain=MS, K=k, N=rows, bits=bits, block_size=block))


@op(MS, "MatMulBnb4")
def matmul_bnb4(m: Maker) -> None:
    rows, k, block = m.int(1, 6), m.int(1, 40), m.pick((16, 32, 64))
    inputs = [m.input(m.floats([m.int(1, 4), k])), m.constant(m.ints([-(-rows * k // 2)], np.uint8, 0, 255))]
    inputs.append(m.constant(m.floats([-(-rows * k // block)], low=0.1, high=1)))
    m.output(m.node("MatMulBnb4", inputs, domain=MS, K=k, N=rows, block_size=block, quant_type=m.int(0, 1)))


@op(MS, "GatherBlockQuantized")
def gather_block_quantized(m: Maker) -> None:
    bits, rows, blocks, block = m.pick((4, 8)), m.int(1, 6), m.int(1, 3), m.pick((16, 32))
    data = packed_bits(m.ints([rows, blocks * block], np.uint8, 0, 2**bits - 1), bits)
    inputs = [m.constant(data), m.input(m.ints(m.shape(0, 2, empty=0), m.pick((np.int32, np.int64)), -rows, rows - 1))]
    inputs.append(m.constant(m.floats([rows, blocks], low=0.01, high=0.1)))
    if m.chance(0.5):
        inputs.append(m.constant(packed_bits(m.ints([rows, blocks], np.uint8, 0, 2**bits - 1), bits)))
    m.output(m.node("GatherBlockQuantized", inputs, domain=MS, bits=bits, block_size=block, quantize_axis=1, gather_axis=0))


@op(MS, "MoE")
def moe(m: Maker) -> None:
    rows, width, hidden, experts = m.int(1, 5), m.int(1, 5), m.int(1, 6), m.int(1, 5)
    kind = m.pick(("relu", "gelu", "silu", "identity", "swiglu"))
    attributes: dict[str, Any] = {"activation_type": kind, "k": m.int(1, experts)} | m.maybe(normalize_routing_weights=1)
    if kind == "swiglu":
        attributes |= {"swiglu_fusion": 1} | m.maybe(activation_alpha=1.702, activation_beta=1.0, swiglu_limit=m.number(0.5, 2))
    inner = 2 * hidden if kind == "swiglu" else hidden
    x = m.floats([rows, width] if m.chance(0.5) else [1, rows, width])
    inputs = [m.input(x), m.input(m.floats([rows, experts]))]
    for first, last in ((inner, width), (width, hidden)):
        inputs += [m.constant(m.floats([experts, first, last])), m.constant(m.floats([experts, first])) if m.chance(0.5) else ""]
    m.output(m.node("MoE", inputs, domain=MS, **attributes))


@op(MS, "QMoE")
def q_moe(m: Maker) -> None:
    rows, width, hidden, experts, bits = m.int(1, 4), 32, 32, m.int(1, 4), m.pick((4, 8))
    # Without normalize_routing_weights the reference's QMoE does as if with it, and its MoE does not.
    attributes: dict[str, Any] = {"k": m.int(1, experts), "expert_weight_bits": bits, "normalize_routing_weights": 1}
    attributes["activation_type"] = m.pick(("relu", "gelu", "silu"))
    inputs = [m.input(m.floats([rows, width], low=-1, high=1)), m.input(m.floats([rows, experts]))]
    for first, last in ((hidden, width), (width, hidden)):
        w = packed_bits(m.ints([experts, first, last], np.uint8, 0, 2**bits - 1), bits)
        inputs += [m.constant(w), m.constant(m.floats([experts, first], low=0.001, high=0.01))]
        inputs.append(m.constant(m.floats([experts, first])) if m.chance(0.5) else "")
    m.output(m.node("QMoE", inputs, domain=MS, **attributes))
