"""Makes the small test models: one tiny network for each family of graph constructs.

Each is written in the ONNX test layout, small/<name>/model.onnx with test_data_set_<i>/
{input,output}_<k>.pb. Weights and inputs are seeded by the model's name. The outputs are
onnxruntime's with its graph optimisations off, checked two ways before they are stored: ONNX's
reference evaluator must agree, and inputs moved by a rounding error must give the same shapes
and integers, so that no stored decision (a box kept, a branch taken) hangs on one.
"""

import argparse
import math
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]
Inputs = dict[str, Array]
Dims = Sequence[int | str]

F16, F32 = TensorProto.FLOAT16, TensorProto.FLOAT
I64, I32, BOOL = TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL

# Models, and single outputs of models, for which ONNX's reference evaluator is no reference.
NO_REFERENCE = {
    "gru": "runs no GRU of direction reverse or bidirectional",
    "loop_accumulate": "takes an absent Loop condition for false",
    "lstm": "runs no bidirectional LSTM",
    "scan_rnn": "runs no Scan of direction 1",
    "sequence/has": "takes an empty optional that left an If for a full one",
    "sequence/chosen": "adds an axis to a tensor got from an optional that left an If",
}


def value(name: str, dtype: int, shape: Dims) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


@dataclass
class Net:
    """Nodes and constants of one graph. Names are unique across a model and its subgraphs."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def seeded(cls, name: str) -> "Net":
        return cls(np.random.default_rng(zlib.crc32(name.encode())))

    def subgraph(self) -> "Net":
        return Net(self.rng, counts=self.counts)

    def fresh(self, stem: str) -> str:
        self.counts[stem] = self.counts.get(stem, 0) + 1
        return f"{stem}{self.counts[stem]}"

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Adds a node with one output, named `out` if given."""
        name = self.fresh(kind.lower())
        result = out or f"{name}.out"
        self.nodes.append(helper.make_node(kind, inputs, [result], name, **attributes))
        return result

    def ops(self, kind: str, *inputs: str, out: Sequence[str], **attributes: Any) -> tuple[str, ...]:
        """Adds a node with the outputs `out`; an empty name omits that one."""
        name = self.fresh(kind.lower())
        self.nodes.append(helper.make_node(kind, inputs, out, name, **attributes))
        return tuple(out)

    def const(self, array: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        name = self.fresh("const")
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def ints(self, *elements: int) -> str:
        return self.const(elements, np.int64)

    def index(self, element: int) -> str:
        """A scalar, of rank 0."""
        return self.const(element, np.int64)

    def weight(self, *shape: int, fan_in: int, dtype: npt.DTypeLike = np.float32) -> str:
        """Normal with variance 2 / fan_in, which keeps activations near unit size under Relu."""
        return self.const(math.sqrt(2 / fan_in) * self.rng.standard_normal(shape), dtype)

    def bias(self, size: int, dtype: npt.DTypeLike = np.float32) -> str:
        return self.const(0.1 * self.rng.standard_normal(size), dtype)

    def conv(
        self,
        x: str,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        group: int = 1,
        dilation: int = 1,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> str:
        fan_in = c_in // group * kernel * kernel
        inputs = [x, self.weight(c_out, c_in // group, kernel, kernel, fan_in=fan_in, dtype=dtype)]
        if bias:
            inputs.append(self.bias(c_out, dtype))
        return self.op(
            "Conv",
            *inputs,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2 * dilation] * 4,
            strides=[stride, stride],
            dilations=[dilation, dilation],
            group=group,
        )

    def batch_norm(self, x: str, channels: int, dtype: npt.DTypeLike = np.float32) -> str:
        scale = self.const(self.rng.uniform(0.5, 1.5, channels), dtype)
        shift, mean = self.bias(channels, dtype), self.bias(channels, dtype)
        var = self.const(self.rng.uniform(0.5, 1.5, channels), dtype)
        return self.op("BatchNormalization", x, scale, shift, mean, var, epsilon=1e-5)

    def linear(self, x: str, n_in: int, n_out: int, out: str | None = None) -> str:
        product = self.op("MatMul", x, self.weight(n_in, n_out, fan_in=n_in))
        return self.op("Add", product, self.bias(n_out), out=out)

    def dim(self, x: str, axis: int) -> str:
        """One dim of x as a vector of length 1, the way exporters write it."""
        scalar = self.op("Gather", self.op("Shape", x), self.index(axis), axis=0)
        return self.op("Unsqueeze", scalar, self.ints(0))

    def reshape(self, x: str, *dims: int | str, out: str | None = None) -> str:
        """Dims are numbers or vectors of length 1 computed in the graph."""
        parts = [self.ints(d) if isinstance(d, int) else d for d in dims]
        return self.op("Reshape", x, self.op("Concat", *parts, axis=0), out=out)

    def graph(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
    ) -> onnx.GraphProto:
        return helper.make_graph(self.nodes, name, inputs, outputs, self.constants)

    def normal(self, *shape: int, dtype: npt.DTypeLike = np.float32) -> Array:
        return self.rng.standard_normal(shape).astype(dtype)


@dataclass(frozen=True)
class Case:
    graph: onnx.GraphProto
    data: list[Inputs]
    opset: int = 17


def cnn_residual() -> Case:
    net = Net.seeded("cnn_residual")

    def block(x: str, c_in: int, c_out: int, stride: int) -> str:
        y = net.batch_norm(net.conv(x, c_in, c_out, 3, stride=stride, bias=False), c_out)
        y = net.batch_norm(net.conv(net.op("Relu", y), c_out, c_out, 3, bias=False), c_out)
        if stride != 1:
            x = net.batch_norm(net.conv(x, c_in, c_out, 1, stride=stride, bias=False), c_out)
        return net.op("Relu", net.op("Add", y, x))

    x = net.op("Relu", net.batch_norm(net.conv("image", 3, 8, 3, bias=False), 8))
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = block(block(x, 8, 8, 1), 8, 16, 2)
    x = net.op("Flatten", net.op("GlobalAveragePool", x), axis=1)
    net.op("Gemm", x, net.weight(10, 16, fan_in=16), net.bias(10), transB=1, out="logits")
    return Case(
        net.graph(
            "cnn_residual",
            [value("image", F32, ["batch", 3, 32, 32])],
            [value("logits", F32, ["batch", 10])],
        ),
        [{"image": net.normal(n, 3, 32, 32)} for n in (1, 3)],
    )


def depthwise_mobilenet() -> Case:
    net = Net.seeded("depthwise_mobilenet")

    def relu6(x: str) -> str:
        return net.op("Clip", x, net.const(0.0), net.const(6.0))

    def hard_swish(x: str) -> str:
        gate = relu6(net.op("Add", x, net.const(3.0)))
        return net.op("Div", net.op("Mul", x, gate), net.const(6.0))

    def squeeze_excite(x: str, channels: int) -> str:
        s = net.op("GlobalAveragePool", x)
        s = net.op("Relu", net.conv(s, channels, channels // 4, 1))
        s = net.op("HardSigmoid", net.conv(s, channels // 4, channels, 1), alpha=1 / 6, beta=0.5)
        return net.op("Mul", x, s)

    x = net.op("HardSwish", net.batch_norm(net.conv("image", 3, 8, 3, stride=2, bias=False), 8))
    y = relu6(net.batch_norm(net.conv(x, 8, 24, 1, bias=False), 24))
    y = relu6(net.batch_norm(net.conv(y, 24, 24, 3, group=24, bias=False), 24))
    y = squeeze_excite(y, 24)
    x = net.op("Add", net.batch_norm(net.conv(y, 24, 8, 1, bias=False), 8), x)
    y = hard_swish(net.batch_norm(net.conv(x, 8, 24, 1, bias=False), 24))
    y = hard_swish(net.batch_norm(net.conv(y, 24, 24, 5, stride=2, group=24, bias=False), 24))
    x = net.batch_norm(net.conv(y, 24, 12, 1, bias=False), 12)
    x = net.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    net.op("Softmax", net.linear(x, 12, 10), axis=-1, out="probabilities")
    return Case(
        net.graph(
            "depthwise_mobilenet",
            [value("image", F32, ["batch", 3, 32, 32])],
            [value("probabilities", F32, ["batch", 10])],
        ),
        [{"image": net.normal(n, 3, 32, 32)} for n in (1, 2)],
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


def detector() -> Case:
    net = Net.seeded("detector")
    size, stride, classes = 64, 4, 3
    cells = size // stride

    def swish(x: str) -> str:
        return net.op("Mul", x, net.op("Sigmoid", x))

    def part(x: str, first: int, last: int) -> str:
        return net.op("Slice", x, net.ints(first), net.ints(last), net.ints(2), net.ints(1))

    x = swish(net.conv("image", 3, 8, 3, stride=2))
    fine = swish(net.conv(x, 8, 16, 3, stride=2))
    coarse = swish(net.conv(fine, 16, 16, 3, stride=2))
    up = net.op(
        "Resize",
        *(coarse, "", net.const([1.0, 1.0, 2.0, 2.0])),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    x = swish(net.conv(net.op("Concat", up, fine, axis=1), 32, 16, 1))
    head = net.op("Mul", net.conv(x, 16, 5 + classes, 1), net.const(4.0))
    head = net.op("Reshape", head, net.ints(0, 5 + classes, cells * cells))
    head = net.op("Transpose", head, perm=[0, 2, 1])  # [batch, cell, x y w h object class...]

    row, column = np.divmod(np.arange(cells * cells), cells)
    corner = net.const(np.stack([column, row], 1)[None] - 0.5)
    centre = net.op("Mul", net.op("Sigmoid", part(head, 0, 2)), net.const(2.0))
    centre = net.op("Mul", net.op("Add", centre, corner), net.const(float(stride)))
    extent = net.op("Clip", part(head, 2, 4), net.const(-1.0), net.const(1.0))
    half = net.op("Mul", net.op("Exp", extent), net.const([5.0, 6.0]))
    boxes = net.op("Concat", net.op("Sub", centre, half), net.op("Add", centre, half), axis=2)
    object_score, class_score = part(head, 4, 5), part(head, 5, 5 + classes)
    scores = net.op("Mul", net.op("Sigmoid", object_score), net.op("Sigmoid", class_score))
    scores = net.op("Transpose", scores, perm=[0, 2, 1])

    limits = net.ints(6), net.const([0.45]), net.const([0.6])
    kept = net.op("NonMaxSuppression", boxes, scores, *limits)  # [n, (image, class, cell)]
    image_and_cell = net.op("Gather", kept, net.ints(0, 2), axis=1)
    kept_boxes = net.op("GatherND", boxes, image_and_cell)
    kept_scores = net.op("GatherND", scores, kept)
    count = net.op("Min", net.op("Shape", kept_scores), net.ints(12))
    _, order = net.ops("TopK", kept_scores, count, out=["scores", "order"], axis=0)
    net.op("Gather", kept_boxes, order, axis=0, out="boxes")
    for column_index, name in ((0, "images"), (1, "classes")):
        picked = net.op("Gather", kept, net.index(column_index), axis=1)
        net.op("Gather", picked, order, axis=0, out=name)
    return Case(
        net.graph(
            "detector",
            [value("image", F32, ["batch", 3, size, size])],
            [
                value("boxes", F32, ["detections", 4]),
                value("scores", F32, ["detections"]),
                value("classes", I64, ["detections"]),
                value("images", I64, ["detections"]),
            ],
        ),
        # A black image has nothing to find: zero detections.
        [{"image": net.normal(n, 3, size, size) * scale} for n, scale in ((1, 1), (2, 0.5), (1, 0))],
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


def unet() -> Case:
    net = Net.seeded("unet")

    def norm(x: str, channels: int) -> str:
        scale = net.const(net.rng.uniform(0.5, 1.5, channels))
        return net.op("InstanceNormalization", x, scale, net.bias(channels), epsilon=1e-5)

    def prelu(x: str, channels: int) -> str:
        return net.op("PRelu", x, net.const(net.rng.uniform(0.1, 0.3, (channels, 1, 1))))

    e1 = net.op("LeakyRelu", norm(net.conv("image", 1, 6, 3), 6), alpha=0.1)
    x = net.op("MaxPool", e1, kernel_shape=[2, 2], strides=[2, 2])
    e2 = net.op("LeakyRelu", norm(net.conv(x, 6, 10, 3), 10), alpha=0.1)
    x = net.op("AveragePool", e2, kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Elu", net.conv(x, 10, 12, 3, dilation=2))
    up = net.weight(12, 10, 2, 2, fan_in=12)
    x = net.op("ConvTranspose", x, up, net.bias(10), kernel_shape=[2, 2], strides=[2, 2])
    x = prelu(net.conv(net.op("Concat", x, e2, axis=1), 20, 10, 3), 10)
    x = net.op(
        "ConvTranspose",
        *(x, net.weight(10, 6, 3, 3, fan_in=40), net.bias(6)),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    )
    x = prelu(net.conv(net.op("Concat", x, e1, axis=1), 12, 6, 3), 6)
    net.op("Sigmoid", net.conv(x, 6, 1, 1), out="mask")
    shape: Dims = ["batch", 1, "height", "width"]
    return Case(
        net.graph("unet", [value("image", F32, shape)], [value("mask", F32, shape)]),
        [{"image": net.normal(n, 1, h, w)} for n, h, w in ((1, 16, 16), (2, 24, 8))],
    )


def qdq() -> Case:
    """Scales are set by hand to cover about ±3 of activations that stay near unit size."""
    net = Net.seeded("qdq")

    def fake_quant(x: str, scale: float, zero: int, dtype: npt.DTypeLike) -> str:
        scale_name, zero_name = net.const(scale), net.const(zero, dtype)
        q = net.op("QuantizeLinear", x, scale_name, zero_name)
        return net.op("DequantizeLinear", q, scale_name, zero_name)

    def weight(*shape: int, fan_in: int, x_scale: float) -> tuple[str, str]:
        """int8 weights by output channel, and an int32 bias in units of x_scale * weight scale."""
        w = math.sqrt(2 / fan_in) * net.rng.standard_normal(shape)
        scale = (np.abs(w).max(axis=tuple(range(1, w.ndim))) / 127).astype(np.float32)
        q = np.rint(w / scale.reshape(-1, *[1] * (w.ndim - 1)))
        bias_scale = (scale * np.float32(x_scale)).astype(np.float32)
        bias = np.rint(0.1 * net.rng.standard_normal(shape[0]) / bias_scale)
        zeros = net.const(np.zeros(shape[0]), np.int8)
        w_inputs = net.const(q, np.int8), net.const(scale), zeros
        b_inputs = net.const(bias, np.int32), net.const(bias_scale)
        return (
            net.op("DequantizeLinear", *w_inputs, axis=0),
            net.op("DequantizeLinear", *b_inputs, axis=0),
        )

    def conv(x: str, c_in: int, c_out: int, kernel: int, stride: int, x_scale: float) -> str:
        fan_in = c_in * kernel * kernel
        w, b = weight(c_out, c_in, kernel, kernel, fan_in=fan_in, x_scale=x_scale)
        pads = [kernel // 2] * 4
        kernel_shape, strides = [kernel, kernel], [stride, stride]
        return net.op("Conv", x, w, b, kernel_shape=kernel_shape, strides=strides, pads=pads)

    s_in, s = 0.024, 0.03
    x = fake_quant("image", s_in, 3, np.int8)
    x = fake_quant(net.op("Relu", conv(x, 3, 8, 3, 2, s_in)), s, 0, np.int8)
    y = fake_quant(net.op("Relu", conv(x, 8, 8, 3, 1, s)), s, 0, np.int8)
    y = fake_quant(conv(y, 8, 8, 1, 1, s), s, 0, np.int8)
    x = fake_quant(net.op("Relu", net.op("Add", x, y)), 2 * s, 0, np.int8)
    x = fake_quant(net.op("GlobalAveragePool", x), s / 2, 10, np.uint8)
    x = net.op("Flatten", x, axis=1)
    w, b = weight(10, 8, fan_in=8, x_scale=s / 2)
    x = net.op("Gemm", x, w, b, transB=1)
    q = net.op("QuantizeLinear", x, net.const(0.04), net.const(0, np.int8), out="logits_int8")
    net.op("DequantizeLinear", q, net.const(0.04), net.const(0, np.int8), out="logits")
    return Case(
        net.graph(
            "qdq",
            [value("image", F32, ["batch", 3, 16, 16])],
            [
                value("logits_int8", TensorProto.INT8, ["batch", 10]),
                value("logits", F32, ["batch", 10]),
            ],
        ),
        [{"image": net.normal(n, 3, 16, 16)} for n in (1, 2)],
        opset=19,
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


def fp16() -> Case:
    net = Net.seeded("fp16")
    half = np.float16
    x = net.op("Relu", net.conv("image", 3, 8, 3, dtype=half))
    x = net.batch_norm(net.conv(x, 8, 16, 3, stride=2, bias=False, dtype=half), 16, half)
    x = net.op("Relu", x)
    y = net.op("Sigmoid", net.conv(x, 16, 16, 1, dtype=half))
    x = net.op("MaxPool", net.op("Mul", x, y), kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Flatten", net.op("GlobalAveragePool", x), axis=1)
    w, b = net.weight(10, 16, fan_in=16, dtype=half), net.bias(10, half)
    net.op("Gemm", x, w, b, transB=1, out="logits")
    net.op("Softmax", net.op("Cast", "logits", to=F32), axis=1, out="probabilities")
    return Case(
        net.graph(
            "fp16",
            [value("image", F16, ["batch", 3, 16, 16])],
            [value("logits", F16, ["batch", 10]), value("probabilities", F32, ["batch", 10])],
        ),
        [{"image": net.normal(n, 3, 16, 16, dtype=half)} for n in (1, 2)],
    )


CASES: list[Callable[[], Case]] = [
    attention_layer,
    cnn_residual,
    depthwise_mobilenet,
    detector,
    dynamic_shapes,
    fp16,
    gru,
    if_branches,
    loop_accumulate,
    lstm,
    qdq,
    scan_rnn,
    sequence,
    transformer,
    unet,
]


def run(model: onnx.ModelProto, inputs: Inputs) -> list[Array]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    serialised = model.SerializeToString()
    session = ort.InferenceSession(serialised, options, providers=["CPUExecutionProvider"])
    return [np.asarray(array) for array in session.run(None, inputs)]


def require_close(got: Array, want: Array, what: str, *, half: bool = False) -> None:
    """The same dtype, shape and integers; floats to a few roundings, of float16 if half."""
    if got.dtype != want.dtype or got.shape != want.shape:
        raise ValueError(f"{what}: {got.dtype}{got.shape} instead of {want.dtype}{want.shape}")
    if want.dtype.kind == "f":
        rtol, atol = (5e-3, 2e-3) if half else (1e-4, 1e-5)
        np.testing.assert_allclose(got, want, rtol, atol, err_msg=what)
    elif not np.array_equal(got, want):
        raise ValueError(f"{what}: other integers")


def require_trustworthy(model: onnx.ModelProto, inputs: Inputs, outputs: list[Array]) -> None:
    """The two checks that the head of this file promises."""
    name = model.graph.name
    names = [info.name for info in model.graph.output]
    half = any(x.dtype == np.float16 for x in inputs.values())

    rng = np.random.default_rng(0)
    moved = dict(inputs)
    for key, x in inputs.items():
        if x.dtype.kind == "f":
            moved[key] = (x * (1 + 1e-6 * rng.uniform(-1, 1, x.shape))).astype(x.dtype)
    for output, got, want in zip(names, run(model, moved), outputs, strict=True):
        require_close(got, want, f"{name}/{output} of moved inputs", half=half)

    if name in NO_REFERENCE:
        return
    with np.errstate(over="ignore", invalid="ignore"):  # its Sigmoid computes both branches
        reference = ReferenceEvaluator(model).run(None, inputs)
    for output, got, want in zip(names, reference, outputs, strict=True):
        if f"{name}/{output}" in NO_REFERENCE:
            continue
        if want.size == 0:  # its GatherND drops the other dims of an empty result
            got = np.reshape(got, want.shape)
        what = f"{name}/{output} by the reference evaluator"
        require_close(np.asarray(got), want, what, half=half)


def all_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                nodes += all_nodes(attribute.g)
    return nodes


def to_model(case: Case) -> onnx.ModelProto:
    opset = helper.make_opsetid("", case.opset)
    model = helper.make_model(
        case.graph,
        ir_version=helper.find_min_ir_version_for([opset]),
        opset_imports=[opset],
        producer_name="tenon tests/models/make_small.py",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write(folder: Path, model: onnx.ModelProto, data: list[Inputs]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    for i, inputs in enumerate(data):
        outputs = run(model, inputs)
        require_trustworthy(model, inputs, outputs)
        data_set = folder / f"test_data_set_{i}"
        data_set.mkdir(exist_ok=True)
        for kind, infos, arrays in (
            ("input", model.graph.input, [inputs[info.name] for info in model.graph.input]),
            ("output", model.graph.output, outputs),
        ):
            for k, (info, array) in enumerate(zip(infos, arrays, strict=True)):
                tensor = numpy_helper.from_array(array, info.name)
                (data_set / f"{kind}_{k}.pb").write_bytes(tensor.SerializeToString(deterministic=True))


def read_tensor(path: Path) -> Array:
    tensor = TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def require_same(stored: Path, made: Path) -> None:
    """Models and inputs byte by byte; outputs by value, as they depend on onnxruntime's kernels."""
    files = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    if {path.relative_to(stored) for path in stored.rglob("*") if path.is_file()} != files:
        raise ValueError(f"{stored}: other files than this script makes")
    for file in sorted(files):
        if file.name.startswith("output_"):
            require_close(read_tensor(stored / file), read_tensor(made / file), str(file))
        elif (stored / file).read_bytes() != (made / file).read_bytes():
            raise ValueError(f"{stored / file}: other bytes than this script makes")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write the small test models with their inputs and outputs.",
        epilog="example: python3 tests/models/make_small.py --only lstm gru",
    )
    names = [make.__name__ for make in CASES]
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "small")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--check", action="store_true", help="compare with --out and write nothing")
    args = parser.parse_args()

    print(f"numpy {np.__version__}, onnx {onnx.__version__}, onnxruntime {ort.__version__}")
    for make in CASES:
        name = make.__name__
        if args.only and name not in args.only:
            continue
        case = make()
        model = to_model(case)
        if args.check:
            with tempfile.TemporaryDirectory() as scratch:
                write(Path(scratch) / name, model, case.data)
                require_same(args.out / name, Path(scratch) / name)
        else:
            write(args.out / name, model, case.data)
        kinds = sorted({node.op_type for node in all_nodes(model.graph)})
        print(f"{name}: opset {case.opset}, {len(case.data)} data sets; {' '.join(kinds)}")


if __name__ == "__main__":
    main()
