"""Makers: reductions, products, indices, order."""

from __future__ import annotations

import numpy as np
from maker import Maker, op


def _reduction(name: str) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        # NumPy, which the reference computes with, sums 32-bit integers in 64 bits.
        dtype = m.pick((np.float32, np.float64, np.int64) if "Log" not in name else (np.float32, np.float64))
        low = 0.5 if name == "ReduceLogSum" else -2
        floats = dtype in (np.float32, np.float64)
        x = m.floats(m.shape(0, 5, empty=0), dtype, low=low) if floats else m.ints(m.shape(0, 4, most=3, empty=0), dtype, 1, 2)
        inputs = [m.input(x)]
        if m.chance(0.7) and x.ndim:
            axes = [axis - (x.ndim if m.chance(0.3) else 0) for axis in m.random.sample(range(x.ndim), m.int(0, x.ndim))]
            inputs.append(m.operand(np.array(axes, np.int64)))
        m.output(m.node(name, inputs, **m.maybe(keepdims=m.int(0, 1), noop_with_empty_axes=m.int(0, 1))))


for _name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"):
    _reduction(f"Reduce{_name}")


def _arg(name: str) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        x = m.ints(m.shape(1, 4, empty=0), low=0, high=3).astype(m.pick((np.float32, np.int32, np.float64)))
        attributes = m.maybe(axis=m.axis(x.ndim), keepdims=m.int(0, 1), select_last_index=m.int(0, 1))
        m.output(m.node(name, [m.input(x)], **attributes))


_arg("ArgMax")
_arg("ArgMin")


def _soft(name: str) -> None:
    @op("", name)
    def make(m: Maker) -> None:
        x = m.floats(m.shape(1, 4), m.pick((np.float32, np.float64)))
        m.output(m.node(name, [m.input(x)], **m.maybe(axis=m.axis(x.ndim))))


for _name in ("Softmax", "LogSoftmax", "Hardmax"):
    _soft(_name)


@op("", "CumSum")
def cum_sum(m: Maker) -> None:
    x = m.floats(m.shape(1, 4), m.pick((np.float32, np.float64)))
    axis = m.operand(np.array(m.axis(x.ndim), m.pick((np.int64, np.int32))))
    m.output(m.node("CumSum", [m.input(x), axis], **m.maybe(exclusive=m.int(0, 1), reverse=m.int(0, 1))))


@op("", "TopK")
def top_k(m: Maker) -> None:
    x = m.numpy.permutation(60).astype(m.pick((np.float32, np.float64, np.int64)))[: m.pick((12, 24, 60))]
    x = x.reshape(m.pick(([-1], [2, -1], [3, -1, 2], [1, 2, -1])))
    axis = m.axis(x.ndim)
    k = m.operand(np.array([m.int(0, x.shape[axis])], np.int64))
    m.output(*m.node("TopK", [m.input(x), k], 2, axis=axis, **m.maybe(largest=m.int(0, 1))))


@op("", "MatMul")
def mat_mul(m: Maker) -> None:
    dtype = m.pick((np.float32, np.float64, np.int32))
    rows, inner, columns = m.int(1, 9), m.int(1, 9), m.int(1, 9)
    batch = m.shape(0, 2)
    a = [*(1 if m.chance(0.3) else dim for dim in batch), rows, inner]
    b = [*[1 if m.chance(0.3) else dim for dim in batch][m.int(0, len(batch)) :], inner, columns]
    a = a if m.chance(0.8) else [inner]
    b = b if m.chance(0.8) else [inner]
    m.output(m.node("MatMul", [m.operand(m.floats(a).astype(dtype)), m.operand(m.floats(b).astype(dtype))]))


@op("", "Gemm")
def gemm(m: Maker) -> None:
    dtype = m.pick((np.float32, np.float64))
    rows, inner, columns = m.int(1, 9), m.int(1, 9), m.int(1, 9)
    flags = m.maybe(transA=m.int(0, 1), transB=m.int(0, 1), alpha=m.number(-2, 2), beta=m.number(-2, 2))
    a = [inner, rows] if flags.get("transA") else [rows, inner]
    b = [columns, inner] if flags.get("transB") else [inner, columns]
    inputs = [m.operand(m.floats(a, dtype)), m.operand(m.floats(b, dtype))]
    if m.chance(0.7):
        inputs.append(m.operand(m.floats(m.pick(([], [1], [columns], [rows, 1], [1, columns], [rows, columns])), dtype)))
    m.output(m.node("Gemm", inputs, **flags))


@op("", "Einsum")
def einsum(m: Maker) -> None:
    equation, ranks = m.pick((
        ("ij,jk->ik", "ij jk"), ("bij,bjk->bik", "bij bjk"), ("ij->ji", "ij"), ("ii->i", "ii"), ("ij,ij->", "ij ij"),
        ("bhid,bhjd->bhij", "bhid bhjd"),
        ("i,j->ij", "i j"), ("ij->j", "ij"), ("abc,cd,de->abe", "abc cd de"), ("ij,j", "ij j"),
    ))  # fmt: skip
    sizes = {letter: m.int(1, 4) for letter in "abcdehijk"}
    m.output(m.node("Einsum", [m.operand(m.floats([sizes[letter] for letter in term])) for term in ranks.split()], equation=equation))


@op("", "Gather")
def gather(m: Maker) -> None:
    x = m.floats(m.shape(1, 4, empty=0), low=0, high=9).astype(m.pick((np.float32, np.int64, np.uint8)))
    axis = m.axis(x.ndim)
    size = x.shape[axis]
    indices = m.ints(m.shape(0, 3), m.pick((np.int64, np.int32)), -size, size - 1)
    m.output(m.node("Gather", [m.operand(x), m.operand(indices)], axis=axis))


@op("", "GatherElements")
def gather_elements(m: Maker) -> None:
    x = m.floats(m.shape(1, 4, empty=0))
    axis = m.axis(x.ndim)
    shape = [m.int(1, dim) for dim in x.shape]
    shape[axis] = m.int(1, 5)
    size = x.shape[axis]
    m.output(m.node("GatherElements", [m.operand(x), m.operand(m.ints(shape, low=-size, high=size - 1))], axis=axis))


@op("", "GatherND")
def gather_nd(m: Maker) -> None:
    x = m.floats(m.shape(2, 4, empty=0))
    batch = m.int(0, 1)
    depth = m.int(1, x.ndim - batch)
    shape = list(x.shape[:batch]) + m.shape(1, 2, empty=0)
    columns = [m.ints(shape, low=-x.shape[batch + i], high=x.shape[batch + i] - 1) for i in range(depth)]
    m.output(m.node("GatherND", [m.operand(x), m.operand(np.stack(columns, -1))], batch_dims=batch))


@op("", "ScatterElements")
def scatter_elements(m: Maker) -> None:
    x = m.floats(m.shape(1, 3, empty=0))
    axis = m.axis(x.ndim)
    shape = [m.int(1, dim) for dim in x.shape]
    size = x.shape[axis]
    reduction = m.pick(("none", "add", "mul", "max", "min"))
    indices = np.argsort(m.numpy.random(x.shape), axis=axis)  # without repeats: what "none" leaves then is not defined
    indices = indices[tuple(slice(0, dim) for dim in shape)]
    indices = np.where(m.bools(shape), indices - size, indices).astype(np.int64)
    inputs = [m.input(x), m.operand(indices), m.operand(m.floats(shape))]
    m.output(m.node("ScatterElements", inputs, axis=axis, **({} if reduction == "none" else {"reduction": reduction})))


@op("", "ScatterND")
def scatter_nd(m: Maker) -> None:
    x = m.floats(m.shape(1, 3, empty=0))
    depth = m.int(1, x.ndim)
    places = int(np.prod(x.shape[:depth]))
    count = m.int(1, places)
    flat = m.numpy.permutation(places)[:count]
    indices = np.stack(np.unravel_index(flat, x.shape[:depth]), -1).astype(np.int64)
    reduction = m.pick(("none", "add", "mul", "max", "min"))
    inputs = [m.input(x), m.operand(indices), m.operand(m.floats([count, *x.shape[depth:]]))]
    m.output(m.node("ScatterND", inputs, **({} if reduction == "none" else {"reduction": reduction})))


@op("", "OneHot")
def one_hot(m: Maker) -> None:
    depth = m.int(1, 5)
    indices = m.ints(m.shape(0, 3), low=-depth, high=depth)
    if indices.ndim == 0:  # onnxruntime has no kernel, and the reference wraps where the specification gives all-off values
        indices = np.minimum(indices, depth - 1)
    values = m.operand(np.array([m.int(0, 3), m.int(4, 9)], m.pick((np.float32, np.int64))))
    m.output(m.node("OneHot", [m.input(indices), m.operand(np.array(depth, np.int64)), values], **m.maybe(axis=m.axis(indices.ndim + 1))))


@op("", "NonZero")
def non_zero(m: Maker) -> None:
    x = m.ints(m.shape(1, 3), low=0, high=1)  # of a scalar, onnxruntime gives one row where the specification has none
    m.output(m.node("NonZero", [m.input(x.astype(m.pick((np.int64, np.float32, np.bool_))))]))


@op("", "Compress")
def compress(m: Maker) -> None:
    x = m.floats(m.shape(1, 3, empty=0))
    axis = m.axis(x.ndim) if m.chance(0.6) else None
    length = m.int(1, x.shape[axis] if axis is not None else x.size)
    m.output(m.node("Compress", [m.input(x), m.operand(m.bools([length]))], **({} if axis is None else {"axis": axis})))


@op("", "Unique")
def unique(m: Maker) -> None:
    x = m.ints(m.shape(1, 3, empty=0), low=0, high=2).astype(m.pick((np.float32, np.int64)))
    attributes = m.maybe(axis=m.axis(x.ndim), sorted=m.int(0, 1))
    m.output(*m.node("Unique", [m.input(x)], 4, **attributes))


@op("", "Det")
def det(m: Maker) -> None:
    size = m.int(1, 4)
    m.output(m.node("Det", [m.input(m.floats([*m.shape(0, 2, empty=0), size, size]))]))
