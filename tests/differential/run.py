#!/usr/bin/env python3
"""Random models, run by Tenon and by onnxruntime (or, where that has no kernel, by the reference of the onnx package), and compared.

usage: run.py TENON [--count N] [--seed S] [--only OP]... [--keep DIR] [--target NAME] [--jobs N]

Each model has one to three operators of the register (ops_*.py), behind ways around that change nothing (wraps.py), and consumers of
what they give; where onnxruntime lacks one of them, one operator by itself. Model i has the seed S + i. A mismatch, an error or a crash
prints the line that makes it again.

example: tests/differential/run.py build/release/bin/tenon --count 2000
         tests/differential/run.py build/release/bin/tenon --count 200 --only Gather --only com.microsoft:QGemm
         tests/differential/run.py build/release/bin/tenon --count 20000     the long run
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import functools
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from maker import Maker, makers, references
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from wraps import wrap

NO_RANK = "the rank of an input is not known"  # a clear refusal: the branches of an If that give other ranks, and no value_info
HERE = Path(__file__).resolve().parent
Outputs = list[Any]
Key = tuple[str, str]
Oracle = Callable[[onnx.ModelProto, Maker], Outputs]


def label(key: Key) -> str:
    return f"{key[0]}:{key[1]}" if key[0] else key[1]


def consume(m: Maker, outputs: Outputs) -> None:
    """Operators behind the outputs, as far as they have floats: epilogues for fusion."""
    for name, value in list(zip(m.outputs, outputs, strict=True)):
        if not isinstance(value, np.ndarray) or value.dtype not in (np.float32, np.float64) or m.chance(0.5):
            continue
        for _ in range(m.int(1, 3)):
            kind = m.int(0, 4)
            if kind == 0:
                functions = ["Relu", "Abs", "Neg", "Sigmoid", "Tanh"]
                if value.dtype == np.float32:
                    functions.append("HardSigmoid")  # onnxruntime has no other
                name = m.node(m.pick(functions), [name])
            elif kind == 1:
                name = m.node("Add", [name, m.operand(m.floats(value.shape[-1:], value.dtype))])
            elif kind == 2:
                name = m.node("Mul", [name, m.operand(m.floats([], value.dtype))])
            elif kind == 3 and value.ndim > 0 and value.size > 0:
                name = m.node("ReduceMean", [name, m.constant(np.array([m.axis(value.ndim)], np.int64))])
            else:
                name = m.node("Clip", [name, "", m.constant(np.array(1.5, value.dtype))])
        m.output(name)


def by_onnxruntime(model: onnx.ModelProto, m: Maker) -> Outputs:
    options = onnxruntime.SessionOptions()
    onnxruntime.set_default_logger_severity(4)
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(m.outputs, m.inputs))


def by_reference(model: onnx.ModelProto, m: Maker) -> Outputs:
    return list(ReferenceEvaluator(model, new_ops=references).run(m.outputs, m.inputs))


def evaluate(m: Maker, oracle: Oracle) -> Outputs:
    """What the outputs should be. Errors are ValueErrors."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            outputs = [np.asarray(value) if isinstance(value, np.generic) else value for value in oracle(m.model(), m)]
    except Exception as error:
        raise ValueError(f"{oracle.__name__}: {(str(error).strip() or type(error).__name__).splitlines()[0]}") from error
    if any(value is None for value in outputs):
        raise ValueError(f"{oracle.__name__}: an output is none")
    return outputs


def map_proto(value: dict[Any, float], name: str) -> onnx.MapProto:
    """Of floats, in order of the keys."""
    text = isinstance(next(iter(value)), str)
    out = onnx.MapProto(name=name, key_type=TensorProto.STRING if text else TensorProto.INT64)
    if text:
        out.string_keys.extend(key.encode() for key in sorted(value))
    else:
        out.keys.extend(sorted(value))
    out.values.CopyFrom(numpy_helper.from_list([np.array(value[key], np.float32) for key in sorted(value)]))
    return out


def to_proto(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return map_proto(value, name)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        maps = [map_proto(one, name) for one in value]
        return onnx.SequenceProto(name=name, elem_type=onnx.SequenceProto.MAP, map_values=maps)
    if isinstance(value, list):
        return numpy_helper.from_list([np.asarray(one) for one in value], name)
    array = np.asarray(value)
    if array.dtype.kind in "OUS":
        array = array.astype(object)
    return numpy_helper.from_array(array, name)


def declare_sequences(model: onnx.ModelProto, outputs: Outputs) -> None:
    """Outputs whose files are no tensors say so in the model."""
    for info, value in zip(model.graph.output, outputs, strict=True):
        if not isinstance(value, list):
            continue
        element = info.type.sequence_type.elem_type
        if value and isinstance(value[0], dict):
            element.map_type.key_type = map_proto(value[0], "").key_type
            element.map_type.value_type.tensor_type.elem_type = TensorProto.FLOAT
        else:
            element.tensor_type.elem_type = numpy_helper.from_array(np.asarray(value[0])).data_type if value else TensorProto.FLOAT


def write(folder: Path, m: Maker, outputs: Outputs) -> None:
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    model = m.model()
    declare_sequences(model, outputs)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for i, (name, value) in enumerate(m.inputs.items()):
        (data / f"input_{i}.pb").write_bytes(to_proto(value, name).SerializeToString())
    for i, (name, value) in enumerate(zip(m.outputs, outputs, strict=True)):
        (data / f"output_{i}.pb").write_bytes(to_proto(value, name).SerializeToString())


def choose(seed: int, names: list[Key]) -> list[Key]:
    choice = random.Random(seed)
    return [choice.choice(names) for _ in range(choice.choice((1, 1, 2, 3)))]


def make(seed: int, names: list[Key]) -> tuple[Maker, Outputs, Oracle]:
    """A model and its outputs. Where onnxruntime lacks a kernel, the first operator alone: the reference is exact about single operators,
    less so about what surrounds them."""
    chosen = choose(seed, names)
    m = Maker(seed)
    m.wrap = wrap
    for key in chosen:
        makers[key](m)
    try:
        outputs = evaluate(m, by_onnxruntime)
        consume(m, outputs)
        return m, evaluate(m, by_onnxruntime), by_onnxruntime
    except ValueError as first:
        error = first
        m = Maker(seed)
        makers[chosen[0]](m)
        for oracle in (by_onnxruntime, by_reference):
            try:
                return m, evaluate(m, oracle), oracle
            except ValueError as second:
                error = ValueError(f"{error}; {second}")
        raise error from None


@dataclasses.dataclass
class Made:
    """What came of one seed."""

    seed: int
    left_out: str = ""  # why there is no model
    oracle: str = ""
    operators: tuple[str, ...] = ()
    tolerance: str = ""  # as a list of `tenon test` has it


def register() -> list[Key]:
    for path in sorted(HERE.glob("ops_*.py")):
        importlib.import_module(path.stem)
    return sorted(makers)


def make_in(folder: Path, names: list[Key], seed: int) -> Made:
    register()  # where processes are not forked
    chosen = choose(seed, names)
    try:
        m, outputs, oracle = make(seed, names)
        write(folder / f"{seed}", m, outputs)
    except ValueError as error:
        return Made(seed, left_out=f"{' '.join(map(label, chosen))}: {error}")
    kept = chosen if oracle is by_onnxruntime else chosen[:1]
    tolerance = f" *:{m.rtol:g}:{m.atol:g}" if m.rtol else ""
    return Made(seed, oracle=oracle.__name__[3:], operators=tuple(map(label, kept)), tolerance=tolerance)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenon", type=Path)
    parser.add_argument("--count", type=int, default=300, help="models [300]")
    parser.add_argument("--seed", type=int, help="of the first model [at random]")
    parser.add_argument("--only", action="append", default=[], help="operators to take, of all")
    parser.add_argument("--keep", type=Path, help="folder to keep the models in")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once [one for each core]")
    arguments = parser.parse_args()
    names = [key for key in register() if not arguments.only or label(key) in arguments.only]
    if not names:
        parser.error(f"no such operator: {', '.join(arguments.only)}")
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 40)
    print(f"{len(names)} operators, models from seed {seed}", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
            one = functools.partial(make_in, folder, names)
            made = list(pool.map(one, range(seed, seed + arguments.count), chunksize=16))
        words = collections.Counter(row.left_out for row in made if row.left_out)
        models = [row for row in made if not row.left_out]
        (folder / "list.txt").write_text("".join(f"{row.seed}{row.tolerance}\n" for row in models))
        command = [arguments.tenon, "test", folder, "--list", folder / "list.txt", "--json", "--target", arguments.target]
        command += ["--jobs", arguments.jobs, "--timeout", "60", "--rtol", "2e-3", "--atol", "2e-4"]
        command += ["--no-tune"] if arguments.target != "cpu" else []
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=False)
        report = json.loads(done.stdout)

    only = "".join(f" --only {name}" for name in arguments.only)
    for case in report["cases"]:
        if case["verdict"] == "fail" and NO_RANK in case["message"]:
            words[f"Tenon: {NO_RANK}"] += 1
            report["failed"] -= 1
        elif case["verdict"] == "fail":
            chosen = choose(int(case["name"]), names)
            print(f"{' '.join(map(label, chosen))}: {case['message']}")
            print(f"  again: tests/differential/run.py {arguments.tenon} --seed {case['name']} --count 1{only} --keep DIR")
    for words_of, count in words.most_common(20):
        print(f"left out, {count} times: {words_of}")
    unseen = set(map(label, names)).difference(*(row.operators for row in models))
    if unseen:
        print(f"no model of: {', '.join(sorted(unseen))}")
    print(f"oracles: {dict(collections.Counter(row.oracle for row in models))}")
    print(f"{report['passed']} passed, {report['failed']} failed, {arguments.count - len(models)} skipped")
    return 1 if report["failed"] or not models else 0


if __name__ == "__main__":
    sys.exit(main())
