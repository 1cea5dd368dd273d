"""Small test models for sequences: recurrent layers, attention, Scan."""

import math

import numpy as np
import onnx
from small_net import BOOL, F32, I32, I64, Case, Inputs, Net, value


def attention_layer() -> Case:
    net = Net.seeded("attention_layer")
    batch, time, width, heads = 2, 7, 16, 4

    def reshape(x: str, *dims: int) -> str:
        return net.op("Reshape", x, net.ints(*dims))

    def split_heads(x: str) -> str:
        x = net.op("Transpose", reshape(x, time, batch * heads, width // heads), perm=[1, 0, 2])
        return reshape(x, batch, heads, time, width // heads)

    turned = net.op("Transpose", "x", perm=[1, 0, 2])
    packed = net.op("Unsqueeze", reshape(net.linear(turned, width, 3 * width), time, batch, 3, width), net.ints(0))
    packed = net.op("Squeeze", net.op("Transpose", packed, perm=[3, 1, 2, 0, 4]), net.ints(-2))
    q, k, v = (split_heads(net.op("Gather", packed, net.index(i), axis=0)) for i in range(3))
    scale = net.const((width / heads) ** -0.25)
    k = net.op("Transpose", k, perm=[0, 1, 3, 2])
    weights = net.op("Softmax", net.op("MatMul", net.op("Mul", q, scale), net.op("Mul", k, scale)), axis=-1)
    weights = net.op("Where", net.op("IsNaN", weights), net.const(0.0), weights)
    mixed = net.op("Transpose", net.op("MatMul", weights, v), perm=[2, 0, 1, 3])
    out = net.op("Gemm", reshape(mixed, time * batch, width), net.weight(width, width, fan_in=width), net.bias(width), transB=1)
    back = net.op("Transpose", reshape(out, time, batch, width), perm=[1, 0, 2])
    net.op("Add", back, "x", out="y")

    shape = [batch, time, width]
    return Case(
        net.graph("attention_layer", [value("x", F32, shape)], [value("y", F32, shape)]),
        [{"x": net.normal(*shape)}, {"x": net.normal(*shape)}],
    )


def gru() -> Case:
    net = Net.seeded("gru")
    words, features, hidden = 20, 6, 5

    def weights(directions: int, n_in: int) -> tuple[str, str, str]:
        return (
            net.weight(directions, 3 * hidden, n_in, fan_in=2 * n_in),
            net.weight(directions, 3 * hidden, hidden, fan_in=2 * hidden),
            net.const(0.1 * net.rng.standard_normal((directions, 6 * hidden))),
        )

    x = net.op("Gather", net.weight(words, features, fan_in=2), "tokens", axis=0)
    both, _ = net.ops(
        "GRU",
        *(x, *weights(2, features)),
        out=["both_ways", "h1"],
        direction="bidirectional",
        hidden_size=hidden,
        linear_before_reset=1,
    )
    y = net.op("Reshape", net.op("Transpose", both, perm=[0, 2, 1, 3]), net.ints(0, 0, -1))
    net.ops(
        "GRU",
        *(y, *weights(1, 2 * hidden)),
        out=["backward", "h2"],
        direction="reverse",
        hidden_size=hidden,
    )
    net.op("LogSoftmax", net.linear(net.op("Squeeze", "h2", net.ints(0)), hidden, 4), out="classes")
    net.op("Squeeze", "backward", net.ints(1), out="y")
    return Case(
        net.graph(
            "gru",
            [value("tokens", I64, ["length", "batch"])],
            [
                value("y", F32, ["length", "batch", hidden]),
                value("classes", F32, ["batch", 4]),
                value("h1", F32, [2, "batch", hidden]),
            ],
        ),
        [{"tokens": net.rng.integers(0, words, shape)} for shape in ((6, 2), (1, 3))],
    )


def lstm() -> Case:
    net = Net.seeded("lstm")
    features, hidden = 5, 6

    def weights(directions: int, n_in: int) -> tuple[str, str, str]:
        return (
            net.weight(directions, 4 * hidden, n_in, fan_in=2 * n_in),
            net.weight(directions, 4 * hidden, hidden, fan_in=2 * hidden),
            net.const(0.1 * net.rng.standard_normal((directions, 8 * hidden))),
        )

    y, state, _ = net.ops(
        "LSTM",
        *("signal", *weights(2, features), "lengths", "h0", "c0"),
        out=["both_ways", "h1", ""],
        direction="bidirectional",
        hidden_size=hidden,
    )
    # [length, 2, batch, hidden] → [length, batch, 2 * hidden]
    y = net.op("Reshape", net.op("Transpose", y, perm=[0, 2, 1, 3]), net.ints(0, 0, -1))
    peepholes = net.const(0.2 * net.rng.standard_normal((1, 3 * hidden)))
    net.ops(
        "LSTM",
        *(y, *weights(1, 2 * hidden), "", "", "", peepholes),
        out=["second", "h2", "c2"],
        direction="forward",
        hidden_size=hidden,
    )
    net.op("Squeeze", "second", net.ints(1), out="y")
    net.op("ReduceMax", state, axes=[0], keepdims=0, out="summary")

    def data(length: int, lengths: list[int]) -> Inputs:
        batch = len(lengths)
        return {
            "signal": net.normal(length, batch, features),
            "lengths": np.array(lengths, np.int32),
            "h0": net.normal(2, batch, hidden),
            "c0": net.normal(2, batch, hidden),
        }

    return Case(
        net.graph(
            "lstm",
            [
                value("signal", F32, ["length", "batch", features]),
                value("lengths", I32, ["batch"]),
                value("h0", F32, [2, "batch", hidden]),
                value("c0", F32, [2, "batch", hidden]),
            ],
            [
                value("y", F32, ["length", "batch", hidden]),
                value("summary", F32, ["batch", hidden]),
                value("h2", F32, [1, "batch", hidden]),
                value("c2", F32, [1, "batch", hidden]),
            ],
        ),
        [data(7, [7, 4, 1]), data(3, [3])],
    )


def scan_rnn() -> Case:
    net = Net.seeded("scan_rnn")
    features, hidden = 3, 5
    w_h = net.weight(hidden, hidden, fan_in=2 * hidden)

    def body(name: str) -> onnx.GraphProto:
        cell = net.subgraph()
        h_in, x_t, mask_t = f"{name}.h_in", f"{name}.x", f"{name}.mask"
        driven = cell.op("MatMul", x_t, cell.weight(features, hidden, fan_in=features))
        total = cell.op("Add", driven, cell.op("MatMul", h_in, w_h))
        moved = cell.op("Tanh", cell.op("Add", total, cell.bias(hidden)))
        h_out = cell.op("Where", mask_t, moved, h_in, out=f"{name}.h_out")
        y_t = cell.op("Mul", h_out, cell.op("Cast", mask_t, to=F32), out=f"{name}.y")
        return cell.graph(
            name,
            [
                value(h_in, F32, ["batch", hidden]),
                value(x_t, F32, ["batch", features]),
                value(mask_t, BOOL, ["batch", 1]),
            ],
            [value(h_out, F32, ["batch", hidden]), value(y_t, F32, ["batch", hidden])],
        )

    forward = ["forward_last", "forward_y"]
    net.ops("Scan", "h0", "x", "mask", out=forward, body=body("forward"), num_scan_inputs=2)
    backward = ["backward_last", "backward_y"]
    net.ops(
        "Scan",
        *("h0", "x", "mask"),
        out=backward,
        body=body("backward"),
        num_scan_inputs=2,
        scan_input_directions=[1, 1],
        scan_output_directions=[1],
        scan_output_axes=[1],
    )
    by_batch = net.op("Transpose", "forward_y", perm=[1, 0, 2])
    net.op("Concat", by_batch, "backward_y", axis=2, out="y")
    net.op("Concat", "forward_last", "backward_last", axis=1, out="last")

    def data(length: int, lengths: list[int]) -> Inputs:
        mask = np.arange(length)[:, None] < np.array(lengths)
        return {
            "x": net.normal(length, len(lengths), features),
            "mask": mask[..., None],
            "h0": net.normal(len(lengths), hidden),
        }

    return Case(
        net.graph(
            "scan_rnn",
            [
                value("x", F32, ["length", "batch", features]),
                value("mask", BOOL, ["length", "batch", 1]),
                value("h0", F32, ["batch", hidden]),
            ],
            [
                value("y", F32, ["batch", "length", 2 * hidden]),
                value("last", F32, ["batch", 2 * hidden]),
            ],
        ),
        [data(6, [6, 3]), data(1, [1])],
    )


def transformer() -> Case:
    net = Net.seeded("transformer")
    words, positions, width, heads, inner = 40, 16, 16, 4, 32

    def layer_norm(x: str, out: str | None = None) -> str:
        centred = net.op("Sub", x, net.op("ReduceMean", x, axes=[-1], keepdims=1))
        square = net.op("Pow", centred, net.const(2.0))
        var = net.op("ReduceMean", square, axes=[-1], keepdims=1)
        std = net.op("Sqrt", net.op("Add", var, net.const(1e-5)))
        gain = net.const(net.rng.uniform(0.5, 1.5, width))
        scaled = net.op("Mul", net.op("Div", centred, std), gain)
        return net.op("Add", scaled, net.bias(width), out=out)

    def gelu(x: str) -> str:
        erf = net.op("Erf", net.op("Div", x, net.const(math.sqrt(2))))
        return net.op("Mul", net.op("Mul", x, net.op("Add", erf, net.const(1.0))), net.const(0.5))

    def split_heads(x: str, perm: list[int]) -> str:
        x = net.reshape(x, net.dim(x, 0), net.dim(x, 1), heads, width // heads)
        return net.op("Transpose", x, perm=perm)

    length = net.dim("tokens", 1)
    embedded = net.op("Gather", net.weight(words, width, fan_in=2), "tokens", axis=0)
    table = net.weight(positions, width, fan_in=8)
    x = net.op("Add", embedded, net.op("Slice", table, net.ints(0), length, net.ints(0)))
    x = layer_norm(x)

    # 1 where attended to, 0 where padded → 0 and -10000, broadcast over heads and queries.
    mask = net.op("Cast", net.op("Unsqueeze", "attention_mask", net.ints(1, 2)), to=F32)
    mask = net.op("Mul", net.op("Sub", net.const(1.0), mask), net.const(-10000.0))

    q = split_heads(net.linear(x, width, width), [0, 2, 1, 3])
    k = split_heads(net.linear(x, width, width), [0, 2, 3, 1])
    v = split_heads(net.linear(x, width, width), [0, 2, 1, 3])
    scores = net.op("Div", net.op("MatMul", q, k), net.const(math.sqrt(width / heads)))
    scores = net.op("Softmax", net.op("Add", scores, mask), axis=-1)
    mixed = net.op("Transpose", net.op("MatMul", scores, v), perm=[0, 2, 1, 3])
    mixed = net.reshape(mixed, net.dim(mixed, 0), net.dim(mixed, 1), width)
    x = layer_norm(net.op("Add", net.linear(mixed, width, width), x))
    fed = net.linear(gelu(net.linear(x, width, inner)), inner, width)
    layer_norm(net.op("Add", fed, x), out="hidden")

    def data(lengths: list[int]) -> Inputs:
        longest = max(lengths)
        mask = np.arange(longest) < np.array(lengths)[:, None]
        tokens = net.rng.integers(1, words, mask.shape) * mask
        return {"tokens": tokens, "attention_mask": mask.astype(np.int64)}

    return Case(
        net.graph(
            "transformer",
            [
                value("tokens", I64, ["batch", "length"]),
                value("attention_mask", I64, ["batch", "length"]),
            ],
            [value("hidden", F32, ["batch", "length", width])],
        ),
        [data([9, 5]), data([4]), data([1, 16, 3])],
    )
