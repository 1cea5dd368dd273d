"""Small test models with control flow, sequences and shapes that only a run knows."""

import numpy as np
from onnx import helper, numpy_helper
from small_net import BOOL, F32, I64, Case, Inputs, Net, value


def dynamic_shapes() -> Case:
    net = Net.seeded("dynamic_shapes")
    shape = net.op("Shape", "x")
    rows, columns = (net.op("Gather", shape, net.index(axis), axis=0) for axis in (0, 1))

    where = net.op("NonZero", "x", out="where")
    net.op("GatherND", "x", net.op("Transpose", where, perm=[1, 0]), out="values")

    # The upper triangle, from indices made in the graph.
    zero, one = net.index(0), net.index(1)
    row = net.op("Unsqueeze", net.op("Range", zero, rows, one), net.ints(1))
    row = net.op("Expand", row, shape)
    column = net.op("Range", zero, columns, one)
    above = net.op("GreaterOrEqual", column, row)
    net.op("Where", above, "x", net.const(0.0), out="upper")

    filled = net.op("ConstantOfShape", shape, value=numpy_helper.from_array(np.array([0.5], np.float32)))
    tiled = net.op("Tile", net.op("Sub", "x", filled), "repeats", out="tiled")
    net.op("Reshape", tiled, net.op("Concat", net.ints(-1), "repeats", axis=0), out="regrouped")

    # Every other row from the last to the first, without the first column.
    net.op(
        "Slice",
        *("x", net.ints(-1, 1), net.op("Concat", net.ints(-(2**62)), net.dim("x", 1), axis=0)),
        *(net.ints(0, 1), net.ints(-2, 1)),
        out="sliced",
    )
    pads = net.op("Concat", net.ints(0), net.dim("x", 0), net.ints(1, 0), axis=0)
    net.op("Pad", "x", pads, net.const(-1.0), out="padded")

    return Case(
        net.graph(
            "dynamic_shapes",
            [value("x", F32, ["rows", "columns"]), value("repeats", I64, [2])],
            [
                value("where", I64, [2, "nonzeros"]),
                value("values", F32, ["nonzeros"]),
                value("upper", F32, ["rows", "columns"]),
                value("tiled", F32, ["tiled_rows", "tiled_columns"]),
                value("regrouped", F32, ["groups", "repeat_rows", "repeat_columns"]),
                value("sliced", F32, ["sliced_rows", "sliced_columns"]),
                value("padded", F32, ["padded_rows", "padded_columns"]),
            ],
        ),
        [
            {
                "x": net.normal(*dims) * (net.rng.uniform(size=dims) < density),
                "repeats": np.array(repeats, np.int64),
            }
            for dims, density, repeats in (
                ((4, 3), 0.5, (2, 3)),
                ((1, 5), 1.0, (1, 1)),
                ((2, 2), 0.0, (3, 1)),
            )
        ],
    )


def if_branches() -> Case:
    net = Net.seeded("if_branches")
    shifted = net.op("Add", "x", net.bias(4))
    w = net.weight(4, 3, fan_in=4)

    matrix, vector = net.subgraph(), net.subgraph()
    matrix.op("MatMul", shifted, w, out="as_matrix")
    vector.op("ReduceMean", shifted, axes=[1], keepdims=0, out="as_vector")
    net.op(
        "If",
        "flag",
        then_branch=matrix.graph("matrix", [], [value("as_matrix", F32, ["rows", 3])]),
        else_branch=vector.graph("vector", [], [value("as_vector", F32, ["rows"])]),
        out="picked",
    )
    net.op("Shape", "picked", out="picked_shape")
    net.op("Reshape", "picked", net.ints(-1), out="picked_flat")

    total = net.op("ReduceSum", "picked_flat", keepdims=0)
    positive = net.op("Greater", total, net.const(0.0))
    same, twice = net.subgraph(), net.subgraph()
    doubled, passed = same.subgraph(), same.subgraph()
    doubled.op("Mul", shifted, doubled.const(2.0), out="doubled")
    passed.op("Identity", "x", out="passed")
    same.op(
        "If",
        "flag",
        then_branch=doubled.graph("double", [], [value("doubled", F32, ["rows", 4])]),
        else_branch=passed.graph("pass", [], [value("passed", F32, ["rows", 4])]),
        out="same_rows",
    )
    twice.op("Concat", shifted, "x", axis=0, out="twice_rows")
    net.op(
        "If",
        positive,
        then_branch=same.graph("same", [], [value("same_rows", F32, ["rows", 4])]),
        else_branch=twice.graph("twice", [], [value("twice_rows", F32, ["rows_twice", 4])]),
        out="stacked",
    )

    x = net.normal(3, 4)
    cases = [(flag, sign * x) for flag in (True, False) for sign in (np.float32(1), np.float32(-1))]
    return Case(
        net.graph(
            "if_branches",
            [value("flag", BOOL, []), value("x", F32, ["rows", 4])],
            [
                value("picked_shape", I64, ["picked_rank"]),
                value("picked_flat", F32, ["picked_elements"]),
                value("stacked", F32, ["stacked_rows", 4]),
            ],
        ),
        [{"flag": np.array(flag), "x": x} for flag, x in cases],
    )


def loop_accumulate() -> Case:
    net = Net.seeded("loop_accumulate")
    w = net.weight(4, 4, fan_in=8)

    # for: a given number of turns; the condition is left out.
    body = net.subgraph()
    product = body.op("MatMul", "h_in", w)
    turn = body.op("Mul", body.op("Cast", "turn", to=F32), body.const(0.1))
    body.op("Tanh", body.op("Add", body.op("Add", product, "x"), turn), out="h_out")
    body.op("ReduceMean", "h_out", axes=[1], keepdims=0, out="mean")
    body.op("Identity", "go_in", out="go_out")
    for_body = body.graph(
        "for_body",
        [value("turn", I64, []), value("go_in", BOOL, []), value("h_in", F32, ["batch", 4])],
        [
            value("go_out", BOOL, []),
            value("h_out", F32, ["batch", 4]),
            value("mean", F32, ["batch"]),
        ],
    )
    net.ops("Loop", "turns", "", "x", out=["h", "means"], body=for_body)

    # while: until the largest magnitude has decayed, the count of turns being data-dependent;
    # one carried value grows by a row each turn.
    body = net.subgraph()
    body.op("Mul", "v_in", body.const(0.7), out="v_out")
    peak = body.op("ReduceMax", body.op("Abs", "v_out"), keepdims=0)
    body.op("Greater", peak, body.const(0.1), out="on_out")
    body.op("Concat", "log_in", body.op("Unsqueeze", peak, body.ints(0)), axis=0, out="log_out")
    while_body = body.graph(
        "while_body",
        [
            value("step", I64, []),
            value("on_in", BOOL, []),
            value("v_in", F32, ["batch", 4]),
            value("log_in", F32, ["logged"]),
        ],
        [
            value("on_out", BOOL, []),
            value("v_out", F32, ["batch", 4]),
            value("log_out", F32, ["logged_next"]),
        ],
    )
    yes, empty = net.const(True, np.bool_), net.const([])
    net.ops("Loop", "", yes, "h", empty, out=["v", "log"], body=while_body)
    net.op("Shape", "log", out="log_length")
    return Case(
        net.graph(
            "loop_accumulate",
            [value("turns", I64, []), value("x", F32, ["batch", 4])],
            [
                value("h", F32, ["batch", 4]),
                value("means", F32, ["turns", "batch"]),
                value("v", F32, ["batch", 4]),
                value("log", F32, ["logged"]),
                value("log_length", I64, [1]),
            ],
        ),
        [
            {"turns": np.array(turns, np.int64), "x": net.normal(batch, 4) * scale}
            for turns, batch, scale in ((5, 2, 1), (1, 3, np.float32(0.2)))
        ],
    )


def sequence() -> Case:
    net = Net.seeded("sequence")
    parts = net.op("SequenceConstruct", "a", "b", "c")
    picked = net.op("SequenceAt", parts, "position", out="picked")
    longer = net.op("SequenceInsert", parts, net.op("Relu", picked), net.index(1))
    net.op("SequenceLength", longer, out="longer_length")
    net.op("ConcatFromSequence", longer, axis=0, out="joined")
    shorter = net.op("SequenceErase", longer, "position")
    tail = net.op("ConcatFromSequence", shorter, axis=0)

    columns = net.op("SplitToSequence", tail, axis=1, keepdims=0)
    last = net.op("SequenceAt", columns, net.index(-1))
    columns = net.op("SequenceInsert", columns, net.op("Neg", last))
    net.op("ConcatFromSequence", columns, axis=0, new_axis=1, out="stacked")

    # An optional that holds a tensor only if the flag says so, and a default where it is empty.
    full, none = net.subgraph(), net.subgraph()
    full.op("Optional", picked, out="full")
    tensor = helper.make_tensor_type_proto(F32, [None, 3])
    none.op("Optional", type=tensor, out="none")
    optional = helper.make_optional_type_proto(tensor)
    maybe = net.op(
        "If",
        "flag",
        then_branch=full.graph("some", [], [helper.make_value_info("full", optional)]),
        else_branch=none.graph("none", [], [helper.make_value_info("none", optional)]),
    )
    has = net.op("OptionalHasElement", maybe, out="has")
    get, default = net.subgraph(), net.subgraph()
    get.op("OptionalGetElement", maybe, out="got")
    default.op("Identity", default.const([[1.0, 2.0, 3.0]]), out="default")
    net.op(
        "If",
        has,
        then_branch=get.graph("get", [], [value("got", F32, ["got_rows", 3])]),
        else_branch=default.graph("default", [], [value("default", F32, [1, 3])]),
        out="chosen",
    )

    def data(rows: tuple[int, int, int], position: int, flag: bool) -> Inputs:
        tensors = {name: net.normal(n, 3) for name, n in zip("abc", rows, strict=True)}
        return {**tensors, "position": np.array(position, np.int64), "flag": np.array(flag)}

    return Case(
        net.graph(
            "sequence",
            [
                *(value(name, F32, (f"rows_{name}", 3)) for name in "abc"),
                value("position", I64, []),
                value("flag", BOOL, []),
            ],
            [
                value("picked", F32, ["picked_rows", 3]),
                value("longer_length", I64, []),
                value("joined", F32, ["joined_rows", 3]),
                value("stacked", F32, [4, "tail_rows"]),
                value("has", BOOL, []),
                value("chosen", F32, ["chosen_rows", 3]),
            ],
        ),
        [data((2, 1, 4), 2, True), data((3, 2, 2), -3, False)],
    )
