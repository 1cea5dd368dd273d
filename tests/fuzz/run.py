#!/usr/bin/env python3
"""Runs the fuzz targets, starting from the small models, the engines built from them, and the models of ../shared where there are any.

usage: run.py BUILD [TARGET]... [--seconds N | --runs N] [--jobs N]     BUILD: a folder configured with the preset "fuzz"

Each of the jobs has its own corpus and seed; --runs is what all jobs of a target try together. What a target finds lies in BUILD/fuzz as
crash-*, oom-* or timeout-*; run the target on the file to see it again.

example: tests/fuzz/run.py build/fuzz --seconds 60
         tests/fuzz/run.py build/fuzz --runs 10000000 --jobs 16     the long run: 10^7 inputs for each target
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = sorted((ROOT / "tests/models/small").glob("*/model.onnx"))
SHARED = ROOT.parent / "shared"
# Bytes of a model that a corpus begins with, and of an input: inputs a second are worth more than layers, and the importer takes all nodes
# of an input, the reader none.
LARGEST = {"import_fuzz": 8_000}
MAX_LEN = {"import_fuzz": 16_000}
# Freed memory is kept apart for a short while, and nobody notes who allocated it: the target by itself says it of what is found.
FAST = "malloc_context_size=0:quarantine_size_mb=16"


def shared_models(largest: int) -> Iterator[bytes]:
    """The smaller ones of ../shared: whole models, exported graphs, cases of the standard."""
    files = [*SHARED.glob("models/**/*.onnx"), *SHARED.glob("suites/**/*.onnx")]
    yield from (file.read_bytes() for file in sorted(files) if file.stat().st_size <= largest)
    for archive in sorted(SHARED.glob("suites/*.tar.xz")):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.name.endswith(".onnx") and member.size <= largest and (file := tar.extractfile(member)):
                    yield file.read()


def seed(target: str, build: Path, corpus: Path) -> None:
    """Fills the corpus, once."""
    if corpus.exists():
        return
    corpus.mkdir(parents=True)
    largest = LARGEST.get(target, 100_000)
    for model in SMALL:
        if model.stat().st_size > largest and target != "engine_fuzz":
            continue
        to = corpus / model.parent.name
        if target == "engine_fuzz":
            environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
            command = [str(build / "bin/tenon"), "build", str(model), "-o", str(to)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        else:
            to.write_bytes(model.read_bytes())
    if target != "engine_fuzz":
        for data in shared_models(largest):
            (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)


def run(target: str, build: Path, args: argparse.Namespace) -> bool:
    folder = build / "fuzz"
    corpus = folder / target
    seed(target, build, corpus)
    limit = f"-max_total_time={args.seconds}" if args.runs is None else f"-runs={-(-args.runs // args.jobs)}"
    jobs = []
    for job in range(args.jobs):
        own = folder / f"{target}.{job}"
        own.mkdir(exist_ok=True)
        command = [str(build / "bin" / target), limit, f"-artifact_prefix={folder}/", "-timeout=25", "-rss_limit_mb=4096"]
        command += ["-entropic=0", f"-max_len={MAX_LEN.get(target, 1_000_000)}", "-print_final_stats=1", f"-seed={job + 1}"]
        command += [str(own), str(corpus)]
        print(" ".join(command), flush=True)
        environment = {**os.environ, "ASAN_OPTIONS": f"allocator_may_return_null=1:max_allocation_size_mb=2048:{FAST}"}
        log = (folder / f"{target}.{job}.log").open("w+")
        jobs.append((subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment), log, own))
    inputs, passed = 0, True
    for process, log, own in jobs:
        process.wait()
        log.seek(0)
        text = log.read()
        log.close()
        shutil.rmtree(own)  # what it found worth keeping
        executed = re.search(r"number_of_executed_units: (\d+)", text)
        inputs += int(executed[1]) if executed else 0
        if process.returncode != 0:
            passed = False
            print(text[-6000:], flush=True)
    print(f"{target}: {inputs} inputs, {'nothing found' if passed else 'FAILED'}", flush=True)
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--runs", type=int, help="inputs for each target, instead of a time")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    args = parser.parse_args()
    targets = args.targets or [path.stem for path in sorted(Path(__file__).parent.glob("*_fuzz.cpp"))]
    failed = [target for target in targets if not run(target, args.build.resolve(), args)]
    print(f"{len(targets) - len(failed)} passed, {len(failed)} failed" + (f": {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
