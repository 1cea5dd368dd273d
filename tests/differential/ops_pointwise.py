"""Makers: functions of elements."""

from __future__ import annotations

import numpy as np
from maker import FLOATS, INTS, Maker, op

# Each with the range that its inputs come from.
UNARY = {
    "Abs": (-3, 3), "Acos": (-1, 1), "Acosh": (1, 4), "Asin": (-1, 1), "Asinh": (-3, 3), "Atan": (-3, 3), "Atanh": (-0.9, 0.9),
    "Ceil": (-3, 3), "Cos": (-3, 3), "Cosh": (-3, 3), "Erf": (-3, 3), "Exp": (-3, 3), "Floor": (-3, 3), "HardSwish": (-4, 4),
    "Log": (0.1, 4), "Mish": (-3, 3), "Neg": (-3, 3), "Reciprocal": (0.5, 3), "Relu": (-3, 3), "Round": (-3, 3), "Sigmoid": (-3, 3),
    "Sign": (-3, 3), "Sin": (-3, 3), "Sinh": (-3, 3), "Softplus": (-3, 3), "Softsign": (-3, 3), "Sqrt": (0, 4), "Tan": (-1, 1),
    "Tanh": (-3, 3),
}  # fmt: skip


def _unary(name: str, low: float, high: float) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        x = m.floats(m.shape(0, 5), m.pick(FLOATS), low, high)
        if name == "HardSwish" and x.dtype == np.float16:
            m.rtol, m.atol = 5e-3, 2e-3  # onnxruntime rounds after each of its three functions, near where the product is 0
        if name in ("Abs", "Neg", "Sign") and m.chance(0.3):
            x = m.ints(m.shape(0, 4), m.pick((np.int32, np.int64, np.int8)), -5, 5)
        m.output(m.node(name, [m.input(x)]))


for _name, (_low, _high) in UNARY.items():
    _unary(_name, _low, _high)


def _with_attributes(name: str, **ranges: tuple[float, float]) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        attributes = m.maybe(**{key: m.number(*span) for key, span in ranges.items()})
        m.output(m.node(name, [m.input(m.floats(m.shape(0, 4), m.pick(FLOATS)))], **attributes))


_with_attributes("Elu", alpha=(-1, 2))
_with_attributes("LeakyRelu", alpha=(-1, 1))
_with_attributes("Selu", alpha=(0.5, 2), gamma=(0.5, 2))
_with_attributes("Celu", alpha=(0.5, 2))
_with_attributes("ThresholdedRelu", alpha=(-1, 2))


@op("", "HardSigmoid")
def hard_sigmoid(m: Maker) -> None:
    # Eighths: ONNX's function rounds both to the type of x, onnxruntime does not, and of the sum little may be left.
    attributes = m.maybe(alpha=m.int(1, 8) / 8, beta=m.int(0, 8) / 8)
    m.output(m.node("HardSigmoid", [m.input(m.floats(m.shape(0, 4), m.pick(FLOATS)))], **attributes))


@op("", "Shrink")
def shrink(m: Maker) -> None:
    # Eighths: onnxruntime rounds the bias to the type of x, and what is left of an element may be small.
    attributes = m.maybe(lambd=m.int(0, 8) / 8, bias=m.int(-8, 8) / 8)
    m.output(m.node("Shrink", [m.input(m.floats(m.shape(0, 4), m.pick(FLOATS)))], **attributes))


def broadcast_pair(m: Maker) -> tuple[list[int], list[int]]:
    """Two shapes that broadcast together."""
    full = m.shape(0, 5)
    sides = []
    for _ in range(2):
        side = [1 if m.chance(0.25) else dim for dim in full]
        sides.append(side[m.int(0, len(side)) :] if m.chance(0.3) else side)
    return sides[0], sides[1]


def _binary(name: str, kind: str) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        a, b = broadcast_pair(m)
        if kind == "bool":
            values = m.bools(a), m.bools(b)
        elif kind == "int" or (kind == "any" and m.chance(0.4)):
            dtype = m.pick(INTS if kind == "int" or name not in ("Mod", "Equal") else (np.int32, np.int64))
            if name in ("Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Add", "Sub", "Mul", "Div", "Pow"):
                dtype = m.pick((np.int32, np.int64))
            low = 1 if name in ("Div", "Mod", "Pow") else 0
            values = m.ints(a, dtype, low, 5), m.ints(b, dtype, low, 5)
        else:
            dtype = m.pick((np.float32, np.float64))
            low = 0.5 if name in ("Div", "Pow") else -3
            values = m.floats(a, dtype, low), m.floats(b, dtype, low)
        attributes = {}
        if name == "BitShift":
            values = m.ints(a, m.pick((np.uint8, np.uint32, np.uint64)), 0, 100), None
            values = values[0], m.ints(b, values[0].dtype, 0, 7)
            attributes["direction"] = m.pick(("LEFT", "RIGHT"))
        if name == "Mod" and values[0].dtype.kind == "f":
            attributes["fmod"] = 1
        m.output(m.node(name, [m.operand(values[0]), m.operand(values[1])], **attributes))


for _name in ("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal", "PRelu"):
    _binary(_name, "float" if _name == "PRelu" else "any")
for _name in ("And", "Or", "Xor"):
    _binary(_name, "bool")
for _name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift"):
    _binary(_name, "int")


def _variadic(name: str) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        full, dtype = m.shape(0, 4), m.pick((np.float32, np.float64))
        shapes = [[1 if m.chance(0.2) else dim for dim in full] for _ in range(m.int(1, 4))]
        m.output(m.node(name, [m.operand(m.floats(shape, dtype)) for shape in shapes]))


for _name in ("Max", "Min", "Mean", "Sum"):
    _variadic(_name)


@op("", "Clip")
def clip(m: Maker) -> None:
    dtype = m.pick((np.float32, np.float64, np.int32, np.int64))
    bounds = [m.operand(np.array(m.int(-2, 2), dtype)) if m.chance(0.7) else "" for _ in range(2)]
    m.output(m.node("Clip", [m.input(m.floats(m.shape(0, 4), low=-5, high=5).astype(dtype)), *bounds]))


@op("", "Where")
def where(m: Maker) -> None:
    a, b = broadcast_pair(m)
    dtype = m.pick((np.float32, np.int64, np.uint8, np.int32, np.str_))
    sides = [m.floats(shape, low=0).astype(dtype) for shape in (a, b)]
    sides = [side.astype(object) if dtype is np.str_ else side for side in sides]
    choice = m.bools([1 if m.chance(0.3) else dim for dim in (a if len(a) >= len(b) else b)])
    m.output(m.node("Where", [m.operand(choice), *map(m.operand, sides)]))


@op("", "Cast")
def cast(m: Maker) -> None:
    types = {1: np.float32, 10: np.float16, 11: np.float64, 6: np.int32, 7: np.int64, 3: np.int8, 2: np.uint8, 9: np.bool_, 12: np.uint32}
    x = m.floats(m.shape(0, 4), low=0, high=100).astype(m.pick(list(types.values())))
    m.output(m.node("Cast", [m.input(x)], to=m.pick(list(types))))


@op("", "Not")
def logical_not(m: Maker) -> None:
    m.output(m.node("Not", [m.input(m.bools(m.shape(0, 4)))]))


@op("", "IsNaN")
def is_nan(m: Maker) -> None:
    x = m.floats(m.shape(0, 3), m.pick(FLOATS))
    m.output(m.node("IsNaN", [m.input(np.where(x > 1, np.array(np.nan, x.dtype), x))]))


@op("", "IsInf")
def is_inf(m: Maker) -> None:
    x = m.floats(m.shape(0, 3), m.pick((np.float32, np.float64)))
    x = np.where(x > 1, np.array(np.inf, x.dtype), np.where(x < -1, np.array(-np.inf, x.dtype), x))
    m.output(m.node("IsInf", [m.input(x)], **m.maybe(detect_negative=m.int(0, 1), detect_positive=m.int(0, 1))))


@op("", "Gelu")
def gelu(m: Maker) -> None:
    m.output(m.node("Gelu", [m.input(m.floats(m.shape(0, 4)))], **m.maybe(approximate=m.pick(("none", "tanh")))))
