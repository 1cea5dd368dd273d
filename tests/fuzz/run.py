#!/usr/bin/env python3
"""Runs the fuzz targets, starting from the small models and the engines built from them.

usage: run.py BUILD SECONDS [TARGET]...     BUILD: a folder configured with the preset "fuzz"

What a target finds lies in BUILD/fuzz as crash-*, oom-* or timeout-*; run the target on the file to see it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODELS = sorted((ROOT / "tests/models/small").glob("*/model.onnx"))


def seed(target: str, build: Path, corpus: Path) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        to = corpus / model.parent.name
        if to.exists():
            continue
        if target == "onnx_fuzz":
            to.write_bytes(model.read_bytes())
        else:
            environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
            command = [str(build / "bin/tenon"), "build", str(model), "-o", str(to)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    build, seconds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    targets = sys.argv[3:] or [path.stem for path in sorted(Path(__file__).parent.glob("*_fuzz.cpp"))]
    folder = build / "fuzz"
    failed = []
    for target in targets:
        corpus = folder / target
        seed(target, build, corpus)
        command = [str(build / "bin" / target), f"-max_total_time={seconds}", f"-artifact_prefix={folder}/"]
        command += ["-timeout=25", "-rss_limit_mb=4096", "-max_len=1000000", "-print_final_stats=1", str(corpus)]
        print(" ".join(command), flush=True)
        environment = {**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1:max_allocation_size_mb=2048"}
        if subprocess.run(command, check=False, env=environment).returncode != 0:
            failed.append(target)
    print(f"{len(targets) - len(failed)} passed, {len(failed)} failed" + (f": {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
