"""What the small test models are written with: one graph's nodes and constants, names and weights seeded by the model's name."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
Inputs = dict[str, Array]
Dims = Sequence[int | str]

F16, F32 = TensorProto.FLOAT16, TensorProto.FLOAT
I64, I32, BOOL = TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL


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
