"""Makes the small test models: one tiny network for each family of graph constructs.

Each is written in the ONNX test layout, small/<name>/model.onnx with test_data_set_<i>/
{input,output}_<k>.pb. Weights and inputs are seeded by the model's name. The outputs are
onnxruntime's with its graph optimisations off, checked two ways before they are stored: ONNX's
reference evaluator must agree, and inputs moved by a rounding error must give the same shapes
and integers, so that no stored decision (a box kept, a branch taken) hangs on one.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from small_control import dynamic_shapes, if_branches, loop_accumulate, sequence
from small_net import Array, Case, Inputs
from small_sequences import attention_layer, gru, lstm, scan_rnn, transformer
from small_vision import cnn_residual, depthwise_mobilenet, detector, fp16, qdq, unet

# Models, and single outputs of models, for which ONNX's reference evaluator is no reference.
NO_REFERENCE = {
    "gru": "runs no GRU of direction reverse or bidirectional",
    "loop_accumulate": "takes an absent Loop condition for false",
    "lstm": "runs no bidirectional LSTM",
    "scan_rnn": "runs no Scan of direction 1",
    "sequence/has": "takes an empty optional that left an If for a full one",
    "sequence/chosen": "adds an axis to a tensor got from an optional that left an If",
}

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
