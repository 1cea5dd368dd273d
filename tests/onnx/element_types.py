#!/usr/bin/env python3
"""Which element types each operator takes: every type that the registry allows, tried with a case of the standard.

usage: element_types.py TENON CASES [--only OP]... [--list FILE] [--keep DIR]

CASES: the folder backend/test/data/node of the wheel onnx==1.21.0. It runs under onnx 1.23.2, whose registry and reference it takes. For
each operator and each of its type parameters, cases with one node of it get inputs of each allowed type; what comes out is compared with
the reference, and where that cannot compute it, it is enough that Tenon runs. Prints the types that no case passes with, and why; --list
writes element_types.txt, which scripts/onnx_support.py reads.

example: cases=.venv/lib/python3*/site-packages/onnx/backend/test/data/node
         build/registry/bin/python tests/onnx/element_types.py build/release/bin/tenon $cases
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

MOST_CASES = 3  # of an operator, for each type
# Their cases hold what fits one type alone: bodies, keys, widths.
NOT_TRIED = {"BitCast", "LabelEncoder", "Loop", "Scan", "TfIdfVectorizer"}
Case = tuple[onnx.ModelProto, dict[str, Any]]
TypeKey = tuple[str, str, str, str]  # domain, operator, type parameter, type


def number_of(text: str) -> int | None:
    """tensor(float16) → 10; nothing for other kinds of values."""
    match = re.fullmatch(r"tensor\((\w+)\)", text)
    return TensorProto.DataType.Value(match[1].upper()) if match else None


def read_cases(root: Path) -> dict[str, list[Case]]:
    """By operator, those with one node and tensors alone, the smaller files first."""
    out = collections.defaultdict(list)
    for folder in sorted(root.iterdir()):
        try:
            model = onnx.load(folder / "model.onnx")
        except Exception:
            continue
        if len(model.graph.node) != 1 or any(not value.type.HasField("tensor_type") for value in model.graph.input):
            continue
        inputs = {}
        for i, value in enumerate(model.graph.input):
            path = folder / f"test_data_set_0/input_{i}.pb"
            inputs[value.name] = numpy_helper.to_array(onnx.load_tensor(str(path)))
        out[model.graph.node[0].op_type].append((model, inputs))
    return out


def converted(array: np.ndarray, number: int) -> np.ndarray:
    """The values in another type, as far as it has them."""
    if number == TensorProto.STRING:
        return array.astype(str).astype(object)
    dtype = helper.tensor_dtype_to_np_dtype(number)
    if array.dtype == object:
        array = np.arange(array.size).reshape(array.shape) % 5
    if array.dtype.kind == "c":
        array = array.real
    if number == TensorProto.BOOL:
        return array.astype(np.float32) > 0.5
    wide = array.astype(np.float64)
    if np.issubdtype(dtype, np.integer) or "int" in str(dtype):
        wide = np.clip(
            np.round(np.nan_to_num(wide)), -2 if "uint" not in str(dtype) else 0, 3 if str(dtype).endswith(("int2", "int4")) else 100
        )
        wide = np.clip(wide, 0 if str(dtype) == "uint2" else -2, 3 if str(dtype) == "uint2" else 1 if str(dtype) == "int2" else 100)
        wide = np.clip(wide, -2, 7) if str(dtype) in ("int4", "uint4") else wide
    return wide.astype(dtype)


def bound(schema: defs.OpSchema, formals: Any, i: int) -> str:
    """The type parameter of argument i; the last formal argument may stand for many."""
    return formals[min(i, len(formals) - 1)].type_str if formals else ""


def with_type(schema: defs.OpSchema, case: Case, parameter: str, number: int) -> Case | None:
    """The case with that type for a parameter; nothing if no input has the parameter."""
    model = onnx.ModelProto()
    model.CopyFrom(case[0])
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid(schema.domain, schema.since_version)])
    node, inputs, found = model.graph.node[0], dict(case[1]), False
    values = {value.name: value for value in model.graph.input}
    for i, name in enumerate(node.input):
        if name in values and bound(schema, schema.inputs, i) == parameter:
            inputs[name] = converted(inputs[name], number)
            values[name].type.tensor_type.elem_type = number
            found = True
    for name, value in zip([value.name for value in model.graph.output], model.graph.output, strict=True):
        i = list(node.output).index(name)
        if bound(schema, schema.outputs, i) == parameter:
            value.type.tensor_type.elem_type = number
    return (model, inputs) if found else None


def by_fit(cases: list[Case], number: int) -> list[Case]:
    """Those that fit the type first: strings are copied, not interpolated."""

    def interpolates(case: Case) -> bool:
        return not any(attribute.name == "mode" and attribute.s == b"nearest" for attribute in case[0].graph.node[0].attribute)

    return sorted(cases, key=interpolates) if number == TensorProto.STRING else cases


def write(folder: Path, case: Case) -> bool:
    """Writes the case in the standard's layout; whether the reference computes it."""
    model, inputs = case
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    for i, value in enumerate(model.graph.input):
        (data / f"input_{i}.pb").write_bytes(numpy_helper.from_array(inputs[value.name], value.name).SerializeToString())
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            outputs = ReferenceEvaluator(model).run(None, inputs)
        for i, (value, array) in enumerate(zip(model.graph.output, outputs, strict=True)):
            tensor = numpy_helper.from_array(np.asarray(array), value.name)
            (data / f"output_{i}.pb").write_bytes(tensor.SerializeToString())
        known = all(np.asarray(array).size < 1e6 for array in outputs)
    except Exception:
        known = False
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return known


def runs(tenon: Path, folder: Path) -> str:
    """Empty, or why it does not run."""
    command = [str(tenon), "run", str(folder / "model.onnx"), "--quiet"]
    for i, value in enumerate(onnx.load(folder / "model.onnx").graph.input):
        command += ["--input", f"{value.name}={folder}/test_data_set_0/input_{i}.pb"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def verdict(reason: str) -> str:
    """Where the reference differs, its arithmetic may be what differs: it rounds after every step, or truncates where the text rounds."""
    return "runs" if not reason else "differs" if ": got " in reason else "refused"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenon", type=Path)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--list", type=Path)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    cases = read_cases(args.cases)
    schemas = {(s.domain, s.name): s for s in defs.get_all_schemas() if s.domain in ("", "ai.onnx.ml") and not s.deprecated}
    tried: dict[str, TypeKey] = {}
    known: dict[str, bool] = {}
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        for (domain, op), schema in sorted(schemas.items()):
            if op in NOT_TRIED or (args.only and op not in args.only):
                continue
            for constraint in schema.type_constraints:
                for text in constraint.allowed_type_strs:
                    number = number_of(text)
                    if number is None:
                        continue
                    count = 0
                    for case in by_fit(cases.get(op, []), number):
                        try:
                            variant = with_type(schema, case, constraint.type_param_str, number)
                        except Exception:
                            continue
                        if variant is None or count == MOST_CASES:
                            continue
                        name = f"{len(tried)}"
                        known[name] = write(root / name, variant)
                        tried[name] = (domain, op, constraint.type_param_str, text[7:-1])
                        count += 1
        compared = [name for name in tried if known[name]]
        (root / "list.txt").write_text("".join(f"{name}\n" for name in compared))
        command = [str(args.tenon), "test", str(root), "--json", "--jobs", str(os.cpu_count() or 1), "--timeout", "60"]
        command += ["--rtol", "5e-3", "--atol", "1e-3"]
        report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
        why = {case["name"]: case["message"] if case["verdict"] == "fail" else "" for case in report["cases"]}
        others = [name for name in tried if not known[name]]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            why.update(zip(others, pool.map(lambda name: runs(args.tenon, root / name), others), strict=True))
    best: dict[TypeKey, str] = {}
    for name, key in tried.items():
        if key not in best or not why[name]:
            best[key] = why[name]
    for key, reason in best.items():
        if reason:
            print(f"{key[0]}:{key[1]} {key[2]} {key[3]}: {reason[:200]}")
    verdicts = {key: verdict(reason) for key, reason in best.items()}
    print(f"{len(tried)} models, {len(compared)} of them compared; operators: {len({key[:2] for key in best})}")
    count = collections.Counter(verdicts.values())
    print(f"{count['runs']} run, {count['differs']} differ from the reference, {count['refused']} are refused")
    if args.list:
        lines = [
            f"{domain or 'ai.onnx'} {op} {parameter} {text} {verdicts[domain, op, parameter, text]}" for domain, op, parameter, text in best
        ]
        args.list.write_text(
            "# Written by element_types.py: domain, operator, type parameter, type.\n" + "".join(f"{line}\n" for line in sorted(lines))
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
