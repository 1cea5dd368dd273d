#!/usr/bin/env python3
"""Checks the borders of the tree: who includes whom, one door to the environment, file sizes, formatting, symbols of the runtime.

usage: check_borders.py sources             include directions, getenv, sizes, tabs
       check_borders.py format              clang-format of every C++ file
       check_borders.py symbols BUILD       tenon-run and libtenon-run.so of the build folder hold no builder symbol

Exit codes: 0 fine, 1 a border is crossed, 77 a tool that the check wants is not installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SKIPPED = 77

BASE = {"base"}
TENSOR = BASE | {"tensor"}
IR = TENSOR | {"ir"}
ENGINE = TENSOR | {"engine"}
OPS = ENGINE | {"ops"}
GRAPH = IR | OPS  # what may touch the graph

# room → what it may include: the diagram of docs/architecture.md. The first pattern that matches a file counts. "tenon": the public headers.
ROOMS: list[tuple[str, set[str]]] = [
    ("base/", BASE),
    ("tensor/", TENSOR),
    ("ir/test_ops.h", GRAPH),
    ("ir/", IR),
    ("engine/", ENGINE),
    (r"ops/[^/]+\.rules\.cpp|ops/([^/]+_)?rules\.h", GRAPH),
    (r"ops/[^/]+\.cpp", OPS | {"reference"}),  # an evaluator may hand part of its work to another operator's
    ("ops/", OPS),
    ("reference/", OPS | {"reference"}),
    ("onnx/", IR | OPS | {"onnx"}),
    ("passes/", GRAPH | {"passes", "lower", "tune", "reference"}),  # folding runs the reference
    ("lower/", GRAPH | {"lower"}),
    ("tune/", ENGINE | {"tune", "backends/tactics"}),
    ("backends/[^/]+/tactics/", ENGINE | {"tune", "backends/tactics", "backends/jit", "backends/kernels"}),
    ("backends/[^/]+/jit/", ENGINE | {"tune", "backends/jit"}),
    ("backends/[^/]+/emulator/", TENSOR | {"backends/emulator"}),
    ("backends/[^/]+/kernels/", ENGINE | {"backends/kernels"}),
    ("backends/[^/]+/device/", ENGINE | {"backends/kernels", "backends/device"}),
    ("runtime/", ENGINE | {"runtime", "backends/device", "tenon"}),
    ("api/", GRAPH | {"onnx", "passes", "lower", "tune", "api", "build.h", "tenon"}),
    (r"build\.(h|cpp)", GRAPH | {"onnx", "passes", "lower", "tune", "backends/tactics", "runtime", "build.h", "tenon"}),
]

WARN_LINES, MOST_LINES = 500, 800
BUILDER_NAMESPACES = "ir|onnx|passes|lower|tune|ops|reference"


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".h", ".cpp", ".cu", ".cuh"} and path.is_file():
                yield path


def room_of_include(name: str) -> str:
    parts = name.split("/")
    if parts[0] == "backends" and len(parts) > 3:
        return f"backends/{parts[2]}"
    return parts[0] if len(parts) > 1 else name


def check_includes() -> Iterator[str]:
    src = ROOT / "src"
    for path in sources("src"):
        name = path.relative_to(src).as_posix()
        if name.endswith("_test.cpp"):
            continue  # tests may build what they test
        allowed = next((rooms for pattern, rooms in ROOMS if re.match(pattern, name)), None)
        if allowed is None:
            yield f"src/{name}: no row of ROOMS says what this folder may include"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not found or not ((src / found[1]).exists() or found[1].startswith("tenon/")):
                continue  # generated, or beside the file
            if room_of_include(found[1]) not in allowed:
                yield f"src/{name}:{number}: may not include {found[1]}"


def check_environment() -> Iterator[str]:
    doors = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources("src", "include", "tools")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\b(secure_)?getenv\s*\(", line)
    ]
    if len(doors) != 1 or not doors[0].startswith("src/base/env.cpp:"):
        yield f"the environment has one door, the getenv in src/base/env.cpp; found: {', '.join(doors)}"


def check_texts() -> Iterator[str]:
    for path in sources("src", "include", "tools", "tests", "samples"):
        lines = path.read_text().splitlines()
        name = path.relative_to(ROOT)
        if len(lines) > MOST_LINES:
            yield f"{name}: {len(lines)} lines, {MOST_LINES} are the most"
        elif len(lines) > WARN_LINES:
            print(f"warning: {name}: {len(lines)} lines, over {WARN_LINES} needs a reason")
        for number, line in enumerate(lines, 1):
            if "\t" in line:
                yield f"{name}:{number}: a tab"


def check_format() -> Iterator[str]:
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        print("clang-format is not installed")
        raise SystemExit(SKIPPED)
    files = [str(path.relative_to(ROOT)) for path in sources("src", "include", "tools", "tests", "samples", "python")]
    done = subprocess.run(
        [tool, "--dry-run", "-Werror", "--ferror-limit=1", *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    for line in done.stderr.splitlines():
        if "error:" in line:
            yield f"{line.split(': error:')[0]}: not formatted, run {Path(tool).name} -i"


def check_symbols(build: Path) -> Iterator[str]:
    if shutil.which("nm") is None:
        print("nm is not installed")
        raise SystemExit(SKIPPED)
    builder = re.compile(rf"\btenon::({BUILDER_NAMESPACES})::")
    for name in ("bin/tenon-run", "lib/libtenon-run.so"):
        path = build / name
        if not path.exists():
            yield f"{path} does not exist"
            continue
        for flags in (["-C"], ["-C", "-D"]):
            # A library that was stripped has no first table; the second is always there.
            listed = subprocess.run(["nm", *flags, str(path)], capture_output=True, text=True, check=False).stdout
            if not listed and "-D" in flags:
                yield f"{name}: nm lists no symbols"
            for line in listed.splitlines():
                if builder.search(line):
                    yield f"{name} holds or wants the builder symbol{line.strip()[17:] if len(line) > 17 else line}"
        needed = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"\(NEEDED\).*\[(libtenon[^\]]*)\]", needed):
            if library != "libtenon-run.so":
                yield f"{name} needs {library}"


def main(arguments: list[str]) -> int:
    if arguments == ["sources"]:
        problems = [*check_includes(), *check_environment(), *check_texts()]
    elif arguments == ["format"]:
        problems = [*check_format()]
    elif len(arguments) == 2 and arguments[0] == "symbols":
        problems = [*check_symbols(Path(arguments[1]))]
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems" if problems else "the borders hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
