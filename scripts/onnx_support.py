#!/usr/bin/env python3
"""Writes docs/onnx-support.md: every operator of the newest onnx package, and what Tenon imports it by.

usage: scripts/onnx_support.py [--check]

Rows come from src/onnx/importers.def, the operators and their versions from the registry of onnx 1.23.2, which wants an environment of
its own: the tests keep an older one in .venv.
--check needs no onnx: it fails where a row of importers.def is missing in the document, or the document has one more.

example: python3 -m venv build/registry && build/registry/bin/pip install onnx==1.23.2
         build/registry/bin/python scripts/onnx_support.py
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/onnx-support.md"
TITLES = {"": "ai.onnx", "ai.onnx.ml": "ai.onnx.ml", "com.microsoft": "com.microsoft"}

# Functions that refuse all that they import, with what to do instead.
REFUSALS = {"import_refused", "import_nchwc_refused"}

# Operators with a row that refuses them, or without one: why.
REASONS = {
    ("ai.onnx.preview.training", "Gradient"): "refused: it differentiates a graph, which only a trainer does",
}


def read_rows() -> dict[tuple[str, str], list[int]]:
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    row = r'TENON_IMPORT\("([^"]*)", (\w+), (\d+), (\w+)\)'
    for domain, op, since, function in re.findall(row, (ROOT / "src/onnx/importers.def").read_text()):
        rows[domain, op].append(int(since))
        if function in REFUSALS:
            REASONS[domain, op] = "refused; the message says what to do instead"
    return rows


def shown(rows: dict[tuple[str, str], list[int]], key: tuple[str, str]) -> str:
    if key in REASONS:
        return REASONS[key]
    if key not in rows:
        return "**missing**"
    return "all versions" if min(rows[key]) == 1 else f"from opset {min(rows[key])} on"


def read_types() -> dict[tuple[str, str], dict[str, bool]]:
    """Of each operator the types that tests/onnx/element_types.py tried; true: it ran with each type parameter that allows the type."""
    out: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for line in (ROOT / "tests/onnx/element_types.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        domain, op, _, dtype, verdict = line.split()
        types = out["" if domain == "ai.onnx" else domain, op]
        types[dtype] = types.get(dtype, True) and verdict != "refused"
    return out


def shown_types(types: dict[str, bool]) -> str:
    if not types:
        return "not tried"
    lacking = [dtype for dtype, runs in types.items() if not runs]
    return f"all {len(types)}" if not lacking else f"{len(types) - len(lacking)} of {len(types)}, not {', '.join(lacking)}"


def write() -> int:
    from onnx import defs

    rows, types = read_rows(), read_types()
    versions: dict[tuple[str, str], list[int]] = defaultdict(list)
    for schema in defs.get_all_schemas_with_history():
        versions[schema.domain, schema.name].append(schema.since_version)
    text = [
        "# ONNX operators",
        "",
        "Written by `scripts/onnx_support.py` from `src/onnx/importers.def` and the registry of the onnx package; do not edit.",
        "",
        "Every operator here runs on the CPU, unless its row says that it is refused. Operators of other domains that carry a function",
        "body (model-local functions) run too. `tenon check model.onnx` says it for one model. Element types are those that the registry",
        "allows and that `tests/onnx/element_types.py` tried, with a case of the standard each;",
        "`element_types.txt` beside it has them one by one.",
    ]
    for domain in sorted({domain for domain, _ in [*versions, *rows]}):
        known = sorted({op for d, op in [*versions, *rows] if d == domain}, key=str.lower)
        has_types = any(key[0] == domain for key in types)
        count = sum((domain, op) in rows and (domain, op) not in REASONS for op in known)
        text += [
            "",
            f"## {TITLES.get(domain, domain)}: {count} of {len(known)}",
            "",
            "| operator | versions in ONNX | Tenon | element types |" if has_types else "| operator | versions in ONNX | Tenon |",
            "|---|---|---|---|" if has_types else "|---|---|---|",
        ]
        for op in known:
            in_onnx = ", ".join(map(str, sorted(versions.get((domain, op), [])))) or "not in the registry"
            row = f"| {op} | {in_onnx} | {shown(rows, (domain, op))} |"
            text.append(f"{row} {shown_types(types.get((domain, op), {}))} |" if has_types else row)
    DOCUMENT.write_text("\n".join(text) + "\n")
    print(f"wrote {DOCUMENT.relative_to(ROOT)}")
    return 0


def check() -> int:
    document = DOCUMENT.read_text()
    named = set(re.findall(r"^\| (\w+) \|[^|]*\| (?!\*\*missing)[^|]*\|", document, re.MULTILINE)) - {"operator"}
    wanted = {op for _, op in read_rows()}
    for op in sorted(wanted ^ named):
        print(f"docs/onnx-support.md does not fit importers.def at {op}: run scripts/onnx_support.py")
    return 1 if wanted ^ named else 0


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__)
        sys.exit(2)
    sys.exit(check() if sys.argv[1:] else write())
