#!/usr/bin/env python3
"""Real models and exported graphs on this machine's GPU: outputs against stored ones, kernels, and what stays on the host.

usage: real_models.py FOLDER... [--tenon build/release/bin/tenon] [--precision fp32,fp16] [--only NAME]... [--jobs N] [--seconds 420]
                      [--out real_models.json]

A FOLDER holds <name>/model.onnx with test_data_set_0/{input,output}_<k>.pb, or exported graphs without weights, as files or in
exported-graphs.tar.xz: <model>.<exporter>.{graph.onnx,recipe.json,ref.npz} and regrow.py, which makes their weights and inputs. A row per
model and precision goes to the file as soon as it is there; a run that was cut off, or ended after --seconds, goes on with what is missing.

max_rel_err is max|a-b| / max|b| of the worst output, cosine that of the worst. FP32 is right within 1e-3, FP16 from a cosine of 0.999 on;
tests/gpu/exceptions.txt lists what is not, with reasons. A graph whose stored outputs are all zero (the weights of its head are, as
before a training) says nothing about what runs before them: it gets a head of small weights, and the portable plan on the CPU gives the
outputs to compare with, as for models without stored outputs. Engines are built for the inputs' shapes, without tuning.

example: real_models.py ../shared/models ../shared/suites --only tv_resnet50.ts
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

SUFFIX = ".graph.onnx"
EXCEPTIONS = Path(__file__).resolve().parent / "exceptions.txt"
Outputs = dict[str, Any]  # name → array; of a graph every k-th element


def load_regrow(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("regrow", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_blank(reference: Path) -> bool:
    with np.load(reference, allow_pickle=False) as stored:
        return not any(np.any(stored[key]) for key in stored.files if key.startswith("out:"))


def with_head(graph: Path, regrow: Any, folder: Path) -> Any:
    """The model, its matrices of zeros grown like the others."""
    recipe = json.loads(graph.with_name(graph.name.replace(SUFFIX, ".recipe.json")).read_text())
    for row in recipe.values():
        if len(row["dims"]) > 1 and row["mean"] == 0 and row["std"] == 0:
            row["std"] = max(row["dims"]) ** -0.5
    copy = folder / "blank.graph.onnx"
    copy.write_bytes(graph.read_bytes())
    (folder / "blank.recipe.json").write_text(json.dumps(recipe))
    return regrow.load(str(copy))


def call(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"{words[1]}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


@dataclass
class Case:
    """A model in a folder of its own."""

    model: Path
    inputs: Path  # .npz, or a test_data_set
    shapes: list[str]
    outputs: Outputs
    sampled: bool

    def wanted(self, name: str, got: Any) -> tuple[Any, Any]:
        have = np.asarray(got, np.float64).ravel()
        if self.sampled:
            have = have[:: max(1, have.size // 2048)][:2048]
        return have, np.asarray(self.outputs[name], np.float64).ravel()


def portable_outputs(tenon: str, model: Path, inputs: Path, folder: Path) -> Outputs:
    made = folder / "portable.npz"
    call([tenon, "run", str(model), "--target", "portable", "--input", str(inputs), "--save-outputs", str(made)])
    with np.load(made, allow_pickle=False) as values:
        return {name: values[name] for name in values.files}


def graph_case(tenon: str, graph: Path, folder: Path) -> Case:
    regrow = load_regrow(graph.parent / "regrow.py")
    reference = graph.with_name(graph.name.replace(SUFFIX, ".ref.npz"))
    blank = is_blank(reference)
    model = with_head(graph, regrow, folder) if blank else regrow.load(str(graph))
    values = regrow.inputs(model, ref=str(reference))
    size = model.ByteSize()
    onnx.save(model, str(folder / "model.onnx"), save_as_external_data=size > 2**31 - 1)
    np.savez(folder / "inputs.npz", **values)
    if blank:
        made = portable_outputs(tenon, folder / "model.onnx", folder / "inputs.npz", folder)
        outputs = {name: regrow.sample(value) for name, value in made.items()}
    else:
        with np.load(reference, allow_pickle=False) as stored:
            outputs = {key.removeprefix("out:"): stored[key] for key in stored.files if key.startswith("out:")}
    shapes = [word for name, v in values.items() for word in ("--shape", f"{name}={'x'.join(map(str, v.shape))}")]
    return Case(folder / "model.onnx", folder / "inputs.npz", shapes, outputs, True)


def model_case(tenon: str, source: Path, folder: Path) -> Case:
    model, data = onnx.load(source / "model.onnx", load_external_data=False), source / "test_data_set_0"
    tensors = {path.stem: onnx.TensorProto.FromString(path.read_bytes()) for path in data.glob("*.pb")}
    weights = {tensor.name for tensor in model.graph.initializer}
    shapes: list[str] = []
    for k, value in enumerate(value for value in model.graph.input if value.name not in weights):
        tensor, dims = tensors.get(f"input_{k}"), value.type.tensor_type.shape.dim
        if tensor and dims and len(dims) == len(tensor.dims):
            shapes += ["--shape", f"{value.name}={'x'.join(map(str, tensor.dims))}"]
    stored = [(value.name, tensors.get(f"output_{k}")) for k, value in enumerate(model.graph.output)]
    if all(tensor is not None for _, tensor in stored):
        outputs = {name: numpy_helper.to_array(tensor) for name, tensor in stored}
    else:
        outputs = portable_outputs(tenon, source / "model.onnx", data, folder)
    return Case(source / "model.onnx", data, shapes, outputs, False)


def compare(case: Case, path: Path) -> dict[str, Any]:
    worst, least = 0.0, 1.0
    if not case.outputs:
        return {"error": "no output is a tensor"}
    with np.load(path, allow_pickle=False) as got:
        for name in case.outputs:
            have, want = case.wanted(name, got[name])
            if have.size != want.size:
                return {"error": f"output {name} has {have.size} elements, stored are {want.size}"}
            if want.size == 0:
                continue
            both = np.isfinite(want)
            if not np.array_equal(have[~both], want[~both], equal_nan=True):
                worst = float("inf")
            have, want = have[both], want[both]
            difference = float(np.max(np.abs(have - want), initial=0))
            worst = max(worst, difference / max(float(np.max(np.abs(want), initial=0)), 1e-30) if difference else 0.0)
            norms = float(np.linalg.norm(have) * np.linalg.norm(want))
            least = min(least, float(np.dot(have, want)) / norms if norms else float(not difference))
    return {"max_rel_err": worst, "cosine": least}


def measure(tenon: str, case: Case, precision: str, folder: Path) -> dict[str, Any]:
    engine, outputs = folder / "model.engine", folder / "outputs.npz"
    flags = [] if precision == "fp32" else [f"--{precision}"]
    start = time.monotonic()
    call([tenon, "build", str(case.model), "-o", str(engine), "--target", "cuda", "--no-tune", *case.shapes, *flags])
    row: dict[str, Any] = {"build_s": round(time.monotonic() - start, 2)}
    plan = call([tenon, "inspect", str(engine), "--plan"])
    steps = re.findall(r"^\s+\d+ @(\d) .*?  (\w+)\{", plan, re.M)
    row["kernels"] = sum(device == "1" and kind != "transfer" for device, kind in steps)
    row["host_steps"] = sum(device == "0" for device, kind in steps)
    row["host_kinds"] = sorted(set(re.findall(r'^\s+\d+ @0 .*? reference\{op="?(\w+)', plan, re.M)))
    call([tenon, "run", str(engine), "--device", "cuda", "--input", str(case.inputs), "--save-outputs", str(outputs)])
    return {**row, **compare(case, outputs)}


def rows_of(tenon: str, source: Path, name: str, precisions: list[str]) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            case = model_case(tenon, source, folder) if source.is_dir() else graph_case(tenon, source, folder)
        except Exception as error:
            return [{"model": name, "precision": p, "error": str(error)[-500:]} for p in precisions]
        for precision in precisions:
            try:
                row = measure(tenon, case, precision, folder)
            except Exception as error:
                row = {"error": f"{type(error).__name__}: {error}"[-600:]}
            rows.append({"model": name, "precision": precision, **row})
    return rows


def is_right(row: dict[str, Any]) -> bool:
    if "error" in row:
        return False
    return bool(row["max_rel_err"] <= 1e-3 if row["precision"] == "fp32" else row["cosine"] >= 0.999)


def sources_of(folders: list[Path], unpacked: Path) -> dict[str, Path]:
    out: dict[str, Path] = {}
    for folder in folders:
        archive = folder / "exported-graphs.tar.xz"
        if archive.exists():
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
            (unpacked / "regrow.py").write_bytes((folder / "regrow.py").read_bytes())
        for graph in [*folder.glob(f"*{SUFFIX}"), *(unpacked.rglob(f"*{SUFFIX}") if archive.exists() else [])]:
            if graph.parent != unpacked and graph.is_relative_to(unpacked):
                (graph.parent / "regrow.py").write_bytes((unpacked / "regrow.py").read_bytes())
            out[graph.name.removesuffix(SUFFIX)] = graph
        for model in folder.glob("*/model.onnx"):
            out[model.parent.name] = model.parent
    return out


def card() -> str:
    """The GPU's name, as its driver says it."""
    return call(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()[0]


def reasons() -> dict[tuple[str, str], str]:
    lines = [line for line in EXCEPTIONS.read_text().splitlines() if line and not line.startswith("#")]
    return {(words[0], words[1]): words[2] for words in (line.split(None, 2) for line in lines)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--tenon", default="build/release/bin/tenon")
    parser.add_argument("--precision", default="fp32,fp16")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--out", type=Path, default=Path("real_models.json"))
    args = parser.parse_args()
    rows = json.loads(args.out.read_text()) if args.out.exists() else []
    done = {(row["model"], row["precision"]) for row in rows}
    end, left, device = time.monotonic() + args.seconds, 0, card()
    with tempfile.TemporaryDirectory() as unpacked, ThreadPoolExecutor(args.jobs) as pool:
        sources = sources_of(args.folders, Path(unpacked))

        def work(name: str) -> list[dict[str, Any]] | None:
            wanted = [p for p in args.precision.split(",") if (name, p) not in done]
            if time.monotonic() > end:
                return None
            return rows_of(args.tenon, sources[name], name, wanted) if wanted else []

        for made in pool.map(work, [name for name in sorted(sources) if not args.only or name in args.only]):
            left += made is None
            for row in made or []:
                rows.append(row | {"device": device})
                print(json.dumps(row), flush=True)
            args.out.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    known = reasons()
    right = [row for row in rows if is_right(row)]
    wrong = [row for row in rows if not is_right(row) and (row["model"], row["precision"]) not in known]
    whole = sum(row["host_steps"] == 0 for row in right)
    print(f"{whole} of {len(right)} run wholly on the GPU, {left} models left")
    print(f"{len(right)} passed, {len(wrong)} failed, {len(rows) - len(right) - len(wrong)} skipped")
    return 1 if wrong or left else 0


if __name__ == "__main__":
    sys.exit(main())
