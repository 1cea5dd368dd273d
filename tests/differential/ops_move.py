"""Makers: shapes, views, and operators that move elements."""

from __future__ import annotations

import numpy as np
from maker import FLOATS, Maker, op
from onnx import TensorProto, helper, numpy_helper

ANY = (np.float32, np.float16, np.float64, np.int64, np.int32, np.uint8, np.int8, np.bool_)


def some(m: Maker, shape: list[int]) -> np.ndarray:
    dtype = m.pick(ANY)
    return m.bools(shape) if dtype == np.bool_ else m.floats(shape, low=0, high=50).astype(dtype)


def ints(m: Maker, *values: int) -> str:
    """Known at import, or not."""
    return m.operand(np.array(values, np.int64))


@op("", "Transpose")
def transpose(m: Maker) -> None:
    x = some(m, m.shape(1, 5))
    m.output(m.node("Transpose", [m.input(x)], **m.maybe(perm=m.random.sample(range(x.ndim), x.ndim))))


@op("", "Reshape")
def reshape(m: Maker) -> None:
    x = some(m, m.shape(1, 4))
    target: list[int] = []
    for i, dim in enumerate(x.shape):
        target += [0] if m.chance(0.3) and i == len(target) and dim else [dim]
    if m.chance(0.5) and x.size:
        target[m.int(0, len(target) - 1)] = -1
    elif m.chance(0.5):
        target = [x.size]
    m.output(m.node("Reshape", [m.input(x), ints(m, *target)], **({} if 0 in target else m.maybe(allowzero=1))))


@op("", "Flatten")
def flatten(m: Maker) -> None:
    x = some(m, m.shape(1, 4))
    m.output(m.node("Flatten", [m.input(x)], **m.maybe(axis=m.int(-x.ndim, x.ndim))))


@op("", "Squeeze")
def squeeze(m: Maker) -> None:
    x = some(m, [1 if m.chance(0.5) else m.int(2, 4) for _ in range(m.int(1, 5))])
    ones = [i - (x.ndim if m.chance(0.3) else 0) for i, dim in enumerate(x.shape) if dim == 1]
    inputs = [m.input(x)] if m.chance(0.3) or not ones else [m.input(x), ints(m, *m.random.sample(ones, m.int(1, len(ones))))]
    m.output(m.node("Squeeze", inputs))


@op("", "Unsqueeze")
def unsqueeze(m: Maker) -> None:
    x = some(m, m.shape(0, 3))
    rank = x.ndim + m.int(1, 2)
    axes = [axis - (rank if m.chance(0.3) else 0) for axis in m.random.sample(range(rank), rank - x.ndim)]
    m.output(m.node("Unsqueeze", [m.input(x), ints(m, *axes)]))


@op("", "Concat")
def concat(m: Maker) -> None:
    shape = m.shape(1, 4)
    axis = m.axis(len(shape))
    dtype = m.pick(ANY[:5])
    parts = []
    for _ in range(m.int(1, 4)):
        shape[axis] = m.int(0, 4)
        parts.append(m.operand(m.floats(shape, low=0, high=9).astype(dtype)))
    m.output(m.node("Concat", parts, axis=axis))


@op("", "Split")
def split(m: Maker) -> None:
    x = some(m, m.shape(1, 4, empty=0))
    axis = m.axis(x.ndim)
    size = x.shape[axis]
    if m.chance(0.5):
        cut = m.int(0, size)
        m.output(*m.node("Split", [m.input(x), ints(m, cut, size - cut)], 2, axis=axis))
    else:
        parts = m.int(1, size)
        names = m.node("Split", [m.input(x)], parts, axis=axis, num_outputs=parts) if parts > 1 else None
        m.output(*(names or [m.node("Split", [m.input(x)], axis=axis, num_outputs=1)]))


def or_text(m: Maker, x: np.ndarray) -> np.ndarray:
    """The elements, or now and then their texts."""
    return x.astype(str).astype(object) if m.chance(0.15) else x


@op("", "Slice")
def slice_(m: Maker) -> None:
    x = or_text(m, some(m, m.shape(1, 4)))
    axes = m.random.sample(range(x.ndim), m.int(1, x.ndim))
    starts = [m.int(-7, 7) for _ in axes]
    steps = [m.pick((1, 1, 2, 3, -1, -2)) for _ in axes]
    # The far end lies where the step leads: onnxruntime takes INT64_MAX for the front when stepping backwards.
    ends = [m.pick((m.int(-7, 7), np.iinfo(np.int64).max if step > 0 else np.iinfo(np.int64).min)) for step in steps]
    named = [axis - (x.ndim if m.chance(0.3) else 0) for axis in axes]
    m.output(m.node("Slice", [m.input(x), ints(m, *starts), ints(m, *ends), ints(m, *named), ints(m, *steps)]))


@op("", "Expand")
def expand(m: Maker) -> None:
    full = m.shape(0, 4)
    x = or_text(m, some(m, [1 if m.chance(0.4) else dim for dim in full][m.int(0, len(full)) :]))
    shape = [1 if m.chance(0.2) and i < len(full) else dim for i, dim in enumerate(full)]
    m.output(m.node("Expand", [m.input(x), m.operand(np.array(shape, np.int64))]))


@op("", "Tile")
def tile(m: Maker) -> None:
    x = some(m, m.shape(1, 4))
    m.output(m.node("Tile", [m.input(x), ints(m, *(m.int(0, 3) for _ in range(x.ndim)))]))


@op("", "Pad")
def pad(m: Maker) -> None:
    x = m.floats(m.shape(1, 4, empty=0), m.pick((np.float32, np.float64)))
    mode = m.pick(("constant", "constant", "reflect", "edge", "wrap"))
    axes = m.random.sample(range(x.ndim), m.int(1, x.ndim))
    most = [x.shape[axis] - 1 if mode == "reflect" else x.shape[axis] if mode == "wrap" else 3 for axis in axes]
    pads = [m.int(0, size) for _ in range(2) for size in most]
    if mode == "constant" and m.chance(0.3):
        pads[m.int(0, len(pads) - 1)] = -1
    inputs = [m.input(x), ints(m, *pads), m.operand(np.array(1.5, x.dtype)) if mode == "constant" and m.chance(0.5) else ""]
    if len(axes) < x.ndim or m.chance(0.5):
        inputs.append(ints(m, *axes))
    else:
        order = sorted(range(len(axes)), key=lambda i: axes[i])
        pads = [pads[i] for i in order] + [pads[len(axes) + i] for i in order]
        inputs[1] = ints(m, *pads)
    m.output(m.node("Pad", inputs, mode=mode))


@op("", "Shape")
def shape_(m: Maker) -> None:
    x = some(m, m.shape(0, 5))
    m.output(m.node("Shape", [m.input(x)], **m.maybe(start=m.int(-6, 6), end=m.int(-6, 6))))


@op("", "Size")
def size_(m: Maker) -> None:
    m.output(m.node("Size", [m.input(some(m, m.shape(0, 5)))]))


@op("", "ConstantOfShape")
def constant_of_shape(m: Maker) -> None:
    value = numpy_helper.from_array(np.array([m.int(0, 3)], m.pick(ANY)))
    m.output(m.node("ConstantOfShape", [m.operand(np.array(m.shape(0, 4), np.int64))], **m.maybe(value=value)))


@op("", "Range")
def range_(m: Maker) -> None:
    dtype = m.pick((np.int64, np.int32, np.float32))
    step = m.pick((1, 2, -1, -3))
    m.output(m.node("Range", [m.operand(np.array(value, dtype)) for value in (m.int(-5, 5), m.int(-9, 9), step)]))


@op("", "EyeLike")
def eye_like(m: Maker) -> None:
    x = m.floats(m.shape(2, 2), m.pick((np.float32, np.float64)))
    m.output(m.node("EyeLike", [m.input(x)], **m.maybe(k=m.int(-3, 3), dtype=m.pick((TensorProto.FLOAT, TensorProto.INT64)))))


@op("", "Trilu")
def trilu(m: Maker) -> None:
    x = m.floats(m.shape(2, 4), low=0, high=9).astype(m.pick((np.float32, np.int64, np.float64)))
    inputs = [m.input(x)] + ([m.operand(np.array(m.int(-4, 4), np.int64))] if m.chance(0.7) else [])
    m.output(m.node("Trilu", inputs, **m.maybe(upper=m.int(0, 1))))


@op("", "DepthToSpace")
def depth_to_space(m: Maker) -> None:
    block = m.int(1, 3)
    x = m.floats([m.int(1, 2), block * block * m.int(1, 3), m.int(1, 4), m.int(1, 4)])
    m.output(m.node("DepthToSpace", [m.input(x)], blocksize=block, **m.maybe(mode=m.pick(("DCR", "CRD")))))


@op("", "SpaceToDepth")
def space_to_depth(m: Maker) -> None:
    block = m.int(1, 3)
    x = m.floats([m.int(1, 2), m.int(1, 3), block * m.int(1, 3), block * m.int(1, 3)])
    m.output(m.node("SpaceToDepth", [m.input(x)], blocksize=block))


@op("", "Identity")
def identity(m: Maker) -> None:
    m.output(m.node("Identity", [m.input(some(m, m.shape(0, 5)))]))


@op("", "CenterCropPad")
def center_crop_pad(m: Maker) -> None:
    x = m.floats(m.shape(1, 4, empty=0))
    axes = m.random.sample(range(x.ndim), m.int(1, x.ndim))
    m.output(m.node("CenterCropPad", [m.input(x), ints(m, *(m.int(1, 7) for _ in axes))], axes=axes))


@op("", "ReverseSequence")
def reverse_sequence(m: Maker) -> None:
    x = m.floats(m.shape(2, 4, empty=0), m.pick(FLOATS[:1] + FLOATS[2:]))
    batch = m.int(0, 1)
    lengths = m.ints([x.shape[batch]], low=1, high=x.shape[1 - batch])
    m.output(m.node("ReverseSequence", [m.input(x), m.operand(lengths)], batch_axis=batch, time_axis=1 - batch))


@op("", "SequenceInsert")
def sequence_insert(m: Maker) -> None:
    arrays = [m.floats(m.shape(1, 3)) for _ in range(m.int(1, 4))]
    names = [m.input(array) for array in arrays]
    sequence = m.node("SequenceConstruct", names)
    place = [m.operand(np.array(m.int(-len(arrays), len(arrays)), np.int64))] if m.chance(0.7) else []
    sequence = m.node("SequenceInsert", [sequence, m.input(m.floats(m.shape(1, 3))), *place])
    if m.chance(0.5):
        sequence = m.node("SequenceErase", [sequence, *([m.operand(np.array(m.int(-1, 0), np.int64))] if m.chance(0.5) else [])])
    m.output(m.node("SequenceAt", [sequence, m.operand(np.array(0, np.int64))]), m.node("SequenceLength", [sequence]))


@op("", "SplitToSequence")
def split_to_sequence(m: Maker) -> None:
    x = m.floats(m.shape(1, 3, empty=0))
    axis = m.axis(x.ndim)
    sizes = [m.operand(np.array(m.int(1, 3), np.int64))] if m.chance(0.6) else []
    parts = m.node("SplitToSequence", [m.input(x), *sizes], axis=axis, **({} if sizes else m.maybe(keepdims=m.int(0, 1))))
    m.output(m.node("SequenceAt", [parts, m.operand(np.array(-1, np.int64))]))


@op("", "ConcatFromSequence")
def concat_from_sequence(m: Maker) -> None:
    shape = m.shape(1, 3)
    new = m.int(0, 1)
    axis = m.int(-len(shape) - new, len(shape) - 1 + new)
    parts = []
    for _ in range(m.int(1, 3)):
        if not new:
            shape[axis] = m.int(1, 4)
        parts.append(m.input(m.floats(shape)))
    m.output(m.node("ConcatFromSequence", [m.node("SequenceConstruct", parts)], axis=axis, new_axis=new))


@op("", "SequenceMap")
def sequence_map(m: Maker) -> None:
    arrays = [m.floats(m.shape(1, 3, empty=0)) for _ in range(m.int(1, 3))]
    sequence = m.node("SequenceConstruct", [m.input(array) for array in arrays])
    names = [m.name() for _ in range(3)]
    factor = m.operand(np.array(1.5, np.float32))
    body = helper.make_graph(
        [helper.make_node("Mul", [names[0], names[1]], [names[2]])],
        m.name(),
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names[:2]],
        [helper.make_tensor_value_info(names[2], TensorProto.FLOAT, None)],
    )
    mapped = m.node("SequenceMap", [sequence, factor], body=body)
    m.output(m.node("SequenceAt", [mapped, m.operand(np.array(-1, np.int64))]))
