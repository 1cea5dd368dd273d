"""Ways around: small graphs that give back exactly what they are given, so that every operator is met behind views, casts, branches,
loops and containers, and passes have something to undo. Each takes the maker, the name of a value and its contents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from maker import Maker
from onnx import TensorProto, helper

Wrap = Callable[[Maker, str, np.ndarray], str]


def _ints(m: Maker, *values: int) -> str:
    return m.constant(np.array(values, np.int64))


def identity(m: Maker, x: str, value: np.ndarray) -> str:
    return m.node("Identity", [x])


def transposed(m: Maker, x: str, value: np.ndarray) -> str:
    perm = m.random.sample(range(value.ndim), value.ndim)
    return m.node("Transpose", [m.node("Transpose", [x], perm=perm)], perm=[perm.index(i) for i in range(value.ndim)])


def flattened(m: Maker, x: str, value: np.ndarray) -> str:
    """The shape comes from the data, or is known."""
    shape = m.node("Shape", [x]) if m.chance(0.5) else _ints(m, *value.shape)
    if value.ndim == 0:
        shape = m.constant(np.array([], np.int64))
    return m.node("Reshape", [m.node("Reshape", [x, _ints(m, value.size)]), shape], allowzero=1)


def squeezed(m: Maker, x: str, value: np.ndarray) -> str:
    axis = _ints(m, m.int(-value.ndim - 1, value.ndim))
    return m.node("Squeeze", [m.node("Unsqueeze", [x, axis]), axis])


def split(m: Maker, x: str, value: np.ndarray) -> str:
    axis = m.int(0, value.ndim - 1)
    at = m.int(0, value.shape[axis])
    return m.node("Concat", m.node("Split", [x, _ints(m, at, value.shape[axis] - at)], 2, axis=axis), axis=axis)


def padded(m: Maker, x: str, value: np.ndarray) -> str:
    axis, before, after = m.int(0, value.ndim - 1), m.int(0, 2), m.int(0, 2)
    pads = np.zeros(2 * value.ndim, np.int64)
    pads[axis], pads[value.ndim + axis] = before, after
    wide = m.node("Pad", [x, m.constant(pads)])
    return m.node("Slice", [wide, _ints(m, before), _ints(m, before + value.shape[axis]), _ints(m, axis)])


def flipped(m: Maker, x: str, value: np.ndarray) -> str:
    axis = m.axis(value.ndim)
    for _ in range(2):
        x = m.node("Slice", [x, _ints(m, -1), _ints(m, np.iinfo(np.int64).min), _ints(m, axis), _ints(m, -1)])
    return x


def gathered(m: Maker, x: str, value: np.ndarray) -> str:
    axis = m.axis(value.ndim)
    order = m.numpy.permutation(value.shape[axis])
    x = m.node("Gather", [x, m.operand(order.astype(np.int64))], axis=axis)
    return m.node("Gather", [x, m.operand(np.argsort(order).astype(np.int64))], axis=axis)


def selected(m: Maker, x: str, value: np.ndarray) -> str:
    return m.node("Where", [m.operand(np.array(True)), x, x])


def negated(m: Maker, x: str, value: np.ndarray) -> str:
    return m.node("Neg", [m.node("Neg", [x])])


def widened(m: Maker, x: str, value: np.ndarray) -> str:
    back = helper.np_dtype_to_tensor_dtype(value.dtype)
    return m.node("Cast", [m.node("Cast", [x], to=TensorProto.DOUBLE)], to=back)


def branched(m: Maker, x: str, value: np.ndarray) -> str:
    taken, other = m.name(), m.name()
    branches = []
    for name, op in ((taken, "Identity"), (other, "Shape")):
        node = helper.make_node(op, [x], [name])
        branches.append(helper.make_graph([node], name, [], [helper.make_empty_tensor_value_info(name)]))
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    for branch in branches:
        branch.output[0].type.tensor_type.elem_type = kind
    if kind != TensorProto.INT64:  # both branches have one type of elements
        branches[1].node.append(helper.make_node("Cast", [other], [other + "c"], to=kind))
        branches[1].output[0].name = other + "c"
    return m.node("If", [m.operand(np.array(True))], then_branch=branches[0], else_branch=branches[1])


def looped(m: Maker, x: str, value: np.ndarray) -> str:
    """One iteration, or none: the state stays."""
    names = [m.name() for _ in range(5)]
    step, go, state, go_out, out = names
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    body = helper.make_graph(
        [helper.make_node("Identity", [go], [go_out]), helper.make_node("Identity", [state], [out])],
        m.name(),
        [
            helper.make_tensor_value_info(step, TensorProto.INT64, []),
            helper.make_tensor_value_info(go, TensorProto.BOOL, []),
            helper.make_tensor_value_info(state, kind, None),
        ],
        [helper.make_tensor_value_info(go_out, TensorProto.BOOL, []), helper.make_tensor_value_info(out, kind, None)],
    )
    return m.node("Loop", [m.operand(np.array(m.int(0, 2), np.int64)), "", x], body=body)


def in_sequence(m: Maker, x: str, value: np.ndarray) -> str:
    return m.node("SequenceAt", [m.node("SequenceConstruct", [x, x]), m.operand(np.array(m.int(-2, 1), np.int64))])


def in_optional(m: Maker, x: str, value: np.ndarray) -> str:
    return m.node("OptionalGetElement", [m.node("Optional", [x])])


def wrap(m: Maker, x: str, value: np.ndarray) -> str:
    """One way around that the value allows."""
    ways: list[Wrap] = [identity]
    if value.dtype != object:
        ways += [flattened, squeezed, selected, branched, looped, in_sequence, in_optional]
        if value.ndim > 0:
            ways += [transposed, split, gathered]
            if value.dtype in (np.float32, np.float64, np.int64, np.int32):
                ways += [padded, flipped]
        if value.dtype in (np.float32, np.float16, np.float64, np.int32, np.int64, np.int8):
            ways.append(negated)
        if value.dtype in (np.float32, np.float16, np.int32, np.int8, np.uint8, np.bool_):
            ways.append(widened)
    return m.pick(ways)(m, x, value)
