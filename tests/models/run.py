"""Runs real models and compares their outputs with stored ones.

usage: python3 tests/models/run.py [--tenon build/release/bin/tenon] [--only PART] [--graph NAME]... FOLDER

FOLDER holds test material that is not part of the repository:

  models/<name>/                    models with inputs and outputs in the ONNX test layout, run by
                                    `tenon test --list tests/models/expect.txt`
  suites/exported-graphs.tar.xz     exported graphs without weights, <model>.<exporter>.graph.onnx,
                                    with a recipe of the weights and sampled reference outputs;
  suites/regrow.py                  makes the weights and inputs from the recipe

Graphs take numpy and onnx, models nothing. The last line counts: N passed, M failed, K skipped.

example: python3 tests/models/run.py --only graphs --graph tv_resnet50.ts ../shared
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SUFFIX = ".graph.onnx"

# Graphs whose outputs cannot be compared, with the reason.
SKIPPED = {
    "tv_regnet_y_400mf": "ill-conditioned with these weights: onnxruntime's own optimisation levels differ by more than Tenon does",
    "tv_retinanet_r50": "boxes of nearly equal scores change places",
}
RTOL, ATOL_OF_MAX = 1e-3, 1e-4
TIMEOUT_S = 900


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run_models(tenon: Path, folder: Path) -> Counts:
    """`tenon test` over the folder of models; its lines pass through."""
    command = [str(tenon), "test", "--list", str(HERE / "expect.txt"), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    sys.stdout.write(done.stdout)
    counts = Counts(*(sum(map(int, re.findall(rf"(\d+) {word}", last_counts(done.stdout)))) for word in ("passed", "failed", "skipped")))
    if done.returncode != 0 and counts.failed == 0:
        counts.failed = 1
    return counts


def last_counts(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if re.search(r"\d+ (passed|failed)", line)), "")


def load_regrow(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("regrow", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unpack(archive: Path, wanted: list[str], to: Path) -> list[str]:
    """Extracts the files of the wanted models or graphs, all if there is none; gives the names of the graphs, sorted."""
    found: list[str] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if not member.isfile() or (wanted and not any(name.startswith(graph + ".") for graph in wanted)):
                continue
            source = tar.extractfile(member)
            if source is None:
                continue
            (to / name).write_bytes(source.read())
            if name.endswith(SUFFIX):
                found.append(name.removesuffix(SUFFIX))
    return sorted(found)


def check_graph(tenon: Path, regrow: Any, folder: Path, name: str) -> str:
    """Regrows, runs and compares one graph. Returns what is wrong, or nothing."""
    import numpy as np
    import onnx

    reference = folder / f"{name}.ref.npz"
    model = regrow.load(str(folder / f"{name}{SUFFIX}"))
    inputs = regrow.inputs(model, ref=str(reference))
    onnx.save(model, str(folder / "model.onnx"))
    del model
    np.savez(folder / "inputs.npz", **inputs)
    outputs = folder / "outputs.npz"
    command = [str(tenon), "run", str(folder / "model.onnx"), "--input", str(folder / "inputs.npz")]
    command += ["--save-outputs", str(outputs)]
    outputs.unlink(missing_ok=True)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no result after {TIMEOUT_S} s"
    if done.returncode != 0:
        return f"exit code {done.returncode}: {' '.join(done.stdout.splitlines()[-1:])}"
    got, wanted = np.load(outputs), np.load(reference)
    worst = ""
    for key in wanted:
        if not key.startswith("out:"):
            continue
        output = key.removeprefix("out:")
        if output not in got:
            return f"output '{output}' is missing"
        want = wanted[key].astype(np.float64)
        have = regrow.sample(got[output]).astype(np.float64)
        if have.shape != want.shape:
            return f"output '{output}' has {have.size} sampled elements, wanted {want.size}"
        bound = RTOL * np.abs(want) + ATOL_OF_MAX * np.abs(want).max(initial=0)
        off = np.abs(have - want)
        bad = ~(off <= bound) & ~(np.isnan(have) & np.isnan(want))
        if bad.any():
            at = int(np.argmax(np.where(bad, off - bound, -np.inf)))
            worst = f"output '{output}': {bad.sum()} of {want.size} differ, sample {at} is {have[at]:g}, wanted {want[at]:g}"
    return worst


def run_graphs(tenon: Path, archive: Path, regrow_path: Path, wanted: list[str]) -> Counts:
    counts = Counts()
    try:
        regrow = load_regrow(regrow_path)
    except ImportError as error:
        print(f"skip  exported graphs: {error}")
        return Counts(skipped=1)
    with tempfile.TemporaryDirectory(prefix="tenon-graphs-") as place:
        folder = Path(place)
        for name in unpack(archive, wanted, folder):
            reason = SKIPPED.get(name.split(".")[0])
            if reason and not wanted:
                print(f"skip  {name}: {reason}")
                counts.add(Counts(skipped=1))
                continue
            start = time.monotonic()
            wrong = check_graph(tenon, regrow, folder, name)
            seconds = time.monotonic() - start
            print(f"{'FAIL' if wrong else 'ok  '}  {name} ({seconds:.0f} s){': ' + wrong if wrong else ''}", flush=True)
            counts.add(Counts(failed=1) if wrong else Counts(passed=1))
    if counts == Counts():
        print(f"FAIL  the archive has none of: {', '.join(wanted)}")
        counts.failed = 1
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of test material")
    parser.add_argument("--tenon", type=Path, default=HERE.parents[1] / "build/release/bin/tenon")
    parser.add_argument("--only", choices=["models", "graphs"])
    parser.add_argument("--graph", action="append", help="a model, or <model>.<exporter>; may be repeated")
    options = parser.parse_args()
    models, archive = options.folder / "models", options.folder / "suites/exported-graphs.tar.xz"
    counts = Counts()
    if options.only != "graphs":
        if models.is_dir():
            counts.add(run_models(options.tenon, models))
        else:
            print(f"skip  {models} is not there")
            counts.skipped += 1
    if options.only != "models":
        if archive.exists():
            regrow = archive.with_name("regrow.py")
            counts.add(run_graphs(options.tenon, archive, regrow, options.graph or []))
        else:
            print(f"skip  {archive} is not there")
            counts.skipped += 1
    print(counts)
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
