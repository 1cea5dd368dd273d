#!/usr/bin/env python3
"""Counts what stays on the host when models are built for a GPU: steps by operator and reason. Needs no GPU, and builds that have no such
step need NVRTC.

usage: host_steps.py [--tenon build/release/bin/tenon] [--target sm_90] [--freeze] [--out host_steps.json] [FOLDER | MODEL]...

FOLDER is searched for *.onnx; without one, the node cases of the wheel onnx are looked for as tests/onnx/run.py does. Those have inputs for
what models hold as constants: sizes, axes, k. --freeze puts the stored values in (it needs the wheel).

example: bench/gpu/host_steps.py --freeze --out host_steps.json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

# Inputs that say sizes and axes: constants in nearly every model.
PARAMETERS = {
    "AffineGrid": (1,), "BlackmanWindow": (0,), "CenterCropPad": (1,), "Col2Im": (1, 2), "ConstantOfShape": (0,), "CumProd": (1,),
    "CumSum": (1,), "DFT": (1, 2), "Expand": (1,), "HammingWindow": (0,), "HannWindow": (0,), "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (2, 3, 4), "OneHot": (1,), "Pad": (1, 3), "Range": (0, 1, 2), "Reshape": (1,), "Resize": (1, 2, 3),
    "STFT": (1, 3), "Slice": (1, 2, 3, 4), "Split": (1,), "Squeeze": (1,), "Tile": (1,), "TopK": (1,), "Unsqueeze": (1,), "Upsample": (1,),
}  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent.parent
STEP = re.compile(r"^\s+'.*' \(([^,]+), .+?\): (.+)$", re.M)  # of the error that --strict gives


@dataclass
class Build:
    model: str
    steps: list[tuple[str, str]] = field(default_factory=list)  # operator, reason
    error: str = ""


@dataclass
class Row:
    kind: str
    steps: int
    models: int
    reasons: dict[str, int]
    example: str


def node_cases() -> Path | None:
    spec = importlib.util.spec_from_file_location("onnx_run", ROOT / "tests/onnx/run.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Path | None = module.find_cases()
    return found


def name_of(model: Path) -> str:
    return model.parent.name if model.stem == "model" else model.stem


def frozen(model: Path, folder: str) -> Path:
    """The model with stored values for its parameters."""
    import onnx

    proto = onnx.load(model)
    order = [value.name for value in proto.graph.input]
    for node in proto.graph.node:
        for i in (1,) if node.op_type.startswith("Reduce") else PARAMETERS.get(node.op_type, ()):
            name = node.input[i] if i < len(node.input) else ""
            stored = model.parent / f"test_data_set_0/input_{order.index(name) if name in order else -1}.pb"
            if name not in order or not stored.exists() or any(tensor.name == name for tensor in proto.graph.initializer):
                continue
            tensor = onnx.TensorProto.FromString(stored.read_bytes())
            tensor.name = name
            proto.graph.initializer.append(tensor)
            proto.graph.input.remove(next(value for value in proto.graph.input if value.name == name))
    out = Path(folder) / "model.onnx"
    onnx.save(proto, out)
    return out


def build(tenon: str, target: str, model: Path, freeze: bool) -> Build:
    with tempfile.TemporaryDirectory() as folder:
        source = frozen(model, folder) if freeze else model
        command = [tenon, "build", str(source), "-o", f"{folder}/x.engine", "--target", target, "--strict", "--no-tune"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            return Build(name_of(model), error="took longer than 300 s")
    if done.returncode == 0:
        return Build(name_of(model))
    steps = STEP.findall(done.stderr)
    return Build(name_of(model), steps, "" if steps else done.stderr.strip()[-300:])


def rows_of(builds: list[Build]) -> list[Row]:
    rows = []
    for kind in {kind for one in builds for kind, _ in one.steps}:
        reasons = Counter(why for one in builds for k, why in one.steps if k == kind)
        models = [one.model for one in builds if any(k == kind for k, _ in one.steps)]
        rows.append(Row(kind, sum(reasons.values()), len(models), dict(reasons.most_common()), models[0]))
    return sorted(rows, key=lambda row: (-row.models, row.kind))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenon", default="build/release/bin/tenon")
    parser.add_argument("--target", default="sm_90")
    parser.add_argument("--freeze", action="store_true", help="put stored values in for parameters")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help="write all of it as JSON")
    parser.add_argument("paths", type=Path, nargs="*", metavar="FOLDER|MODEL")
    args = parser.parse_args()
    paths = args.paths
    if not paths:
        cases = node_cases()
        if cases is None:
            print("no node cases: pip install onnx, or name a folder")
            return 1
        paths = [cases]
    models = [model for path in paths for model in (sorted(path.rglob("*.onnx")) if path.is_dir() else [path])]
    with ThreadPoolExecutor(args.jobs) as pool:
        builds = list(pool.map(lambda model: build(args.tenon, args.target, model, args.freeze), models))
    failed = [one for one in builds if one.error]
    whole = sum(not one.steps and not one.error for one in builds)
    rows = rows_of(builds)
    some = len(builds) - whole - len(failed)
    print(f"{len(builds)} models: {whole} whole on {args.target}, {some} with steps on the host, {len(failed)} not built")
    print(f"{'models':>6} {'steps':>6}  {'kind':<32} reason")
    for row in rows:
        for i, (why, count) in enumerate(row.reasons.items()):
            head = f"{row.models:>6} {row.steps:>6}  {row.kind:<32}" if i == 0 else " " * 47
            print(f"{head} {count}: {why}")
    if args.out:
        report = {
            "target": args.target,
            "models": len(builds),
            "whole": whole,
            "kinds": [asdict(row) for row in rows],
            "failed": {one.model: one.error for one in failed},
        }
        args.out.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
