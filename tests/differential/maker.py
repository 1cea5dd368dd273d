"""What makers of random models use: `Maker` holds the random numbers and the model that grows; `op` puts a maker into the register.

A maker is a function that appends a few nodes to the model, one operator in all its forms: types, shapes, attributes, optional inputs
and outputs, broadcasting, negative axes, empty tensors. It draws everything from `m`, so that a seed gives the same model again.

example:
    @op("", "Elu")
    def elu(m: Maker) -> None:
        x = m.input(m.floats(m.shape(0, 4), m.pick(FLOATS)))
        m.output(m.node("Elu", [x], **m.maybe(alpha=m.number(-1, 2))))
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference.op_run import OpRun

FLOATS = (np.float32, np.float16, np.float64)
INTS = (np.int32, np.int64, np.int8, np.uint8, np.int16, np.uint16, np.uint32, np.uint64)

makers: dict[tuple[str, str], Callable[[Maker], None]] = {}


def op(domain: str, name: str) -> Callable[[Callable[[Maker], None]], Callable[[Maker], None]]:
    """Registers the maker of an operator."""

    def register(make: Callable[[Maker], None]) -> Callable[[Maker], None]:
        assert (domain, name) not in makers, name
        makers[domain, name] = make
        return make

    return register


references: list[type[OpRun]] = []


def reference(domain: str, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives the evaluator of the onnx package an operator: a function of arrays and attributes; several results are a tuple."""

    def register(formula: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: OpRun, *inputs: Any, **_: Any) -> tuple[Any, ...]:
            given = {a.name: helper.get_attribute_value(a) for a in self.onnx_node.attribute}
            result = formula(*inputs, **{key: v.decode() if isinstance(v, bytes) else v for key, v in given.items()})
            return result if isinstance(result, tuple) else (result,)

        references.append(type(name, (OpRun,), {"op_domain": domain, "_run": run}))
        return formula

    return register


class Maker:
    """Random numbers and a model under construction."""

    def __init__(self, seed: int, opset: int = 21) -> None:
        self.random = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        self.opset = opset
        self.domains: dict[str, int] = {"": opset}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: dict[str, Any] = {}  # a name and its array; a list of arrays is a sequence
        self.outputs: list[str] = []
        self.count = 0
        self.rtol: float | None = None  # where the operator wants more than the default, with its reason
        self.atol = 2e-4
        self.wrap: Callable[[Maker, str, np.ndarray], str] | None = None
        self.symbolic = self.chance(0.3)  # inputs declared with named dims instead of sizes

    # --- random numbers

    def int(self, low: int, high: int) -> int:
        """Both ends included."""
        return self.random.randint(low, high)

    def number(self, low: float, high: float) -> float:
        """A float that 32 bits hold."""
        return float(np.float32(self.random.uniform(low, high)))

    def pick(self, values: Sequence[Any]) -> Any:
        return values[self.random.randrange(len(values))]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def maybe(self, **attributes: Any) -> dict[str, Any]:
        """Each attribute with probability one half, so that defaults are tested too."""
        return {name: value for name, value in attributes.items() if self.chance(0.5)}

    def shape(self, low: int, high: int, most: int = 5, empty: float = 0.03) -> list[int]:
        """A shape of low to high dims; a dim is 0 with probability `empty`."""
        return [0 if self.chance(empty) else self.int(1, most) for _ in range(self.int(low, high))]

    def floats(self, shape: Sequence[int], dtype: Any = np.float32, low: float = -3, high: float = 3) -> np.ndarray:
        return np.asarray(self.numpy.uniform(low, high, tuple(shape))).astype(dtype)

    def ints(self, shape: Sequence[int], dtype: Any = np.int64, low: int = 0, high: int = 10) -> np.ndarray:
        """Both ends included."""
        return np.asarray(self.numpy.integers(low, high, tuple(shape), endpoint=True)).astype(dtype)

    def bools(self, shape: Sequence[int]) -> np.ndarray:
        return np.asarray(self.numpy.random(tuple(shape)) < 0.5)

    def strings(self, shape: Sequence[int], words: Sequence[str]) -> np.ndarray:
        flat = [self.pick(words) for _ in range(int(np.prod(shape, dtype=np.int64)))]
        return np.array(flat, dtype=object).reshape(tuple(shape))

    def axis(self, rank: int) -> int:
        """An axis of `rank` dims, from the front or from the back."""
        axis = self.int(0, rank - 1)
        return axis - rank if self.chance(0.5) else axis

    # --- the model

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def input(self, value: Any) -> str:
        """A graph input with its contents: an array, a list of arrays for a sequence of tensors, or a dict of floats. The name may be that
        of a value that is computed from the input and equals it."""
        name = self.name()
        if isinstance(value, np.generic):
            value = np.asarray(value)
        self.inputs[name] = value
        while self.wrap and isinstance(value, np.ndarray) and self.chance(0.25):
            wrap, self.wrap = self.wrap, None  # a way around takes no ways around
            name = wrap(self, name, value)
            self.wrap = wrap
        return name

    def constant(self, array: Any) -> str:
        """An initializer."""
        name = self.name()
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def operand(self, array: np.ndarray) -> str:
        """An input or an initializer."""
        return self.constant(array) if self.chance(0.4) else self.input(array)

    def node(self, op_type: str, inputs: Sequence[str], outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Appends a node; the name of its output, or a list of names where `outputs` is not 1. "" is an absent input."""
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(op_type, list(inputs), names, domain=domain, **attributes))
        self.domains.setdefault(domain, 1)
        return names[0] if outputs == 1 else names

    def output(self, *names: str) -> None:
        self.outputs += names

    def model(self) -> onnx.ModelProto:
        """The model; types of outputs are left to inference."""
        graph = helper.make_graph(
            self.nodes,
            "random",
            [self._declared(name, value) for name, value in self.inputs.items()],
            [onnx.ValueInfoProto(name=name) for name in self.outputs],
            self.initializers,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.domains.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def _declared(self, name: str, value: Any) -> onnx.ValueInfoProto:
        if isinstance(value, dict):
            kind = TensorProto.STRING if isinstance(next(iter(value)), str) else TensorProto.INT64
            map_type = onnx.TypeProto.Map(key_type=kind, value_type=helper.make_tensor_type_proto(TensorProto.FLOAT, []))
            return helper.make_value_info(name, onnx.TypeProto(map_type=map_type))
        if isinstance(value, list):
            tensor = helper.make_tensor_type_proto(_type_of(value[0]) if value else TensorProto.FLOAT, None)
            return helper.make_value_info(name, helper.make_sequence_type_proto(tensor))
        dims = [f"{name}_{i}" for i in range(value.ndim)] if self.symbolic else list(value.shape)
        return helper.make_tensor_value_info(name, _type_of(value), dims)


def _type_of(array: np.ndarray) -> int:
    return TensorProto.STRING if array.dtype == object else helper.np_dtype_to_tensor_dtype(array.dtype)
