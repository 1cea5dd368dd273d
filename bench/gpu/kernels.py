#!/usr/bin/env python3
"""Every problem of bench/problems but those of doubles on this machine's GPU: its kernel against the reference, its time, its share of
the device's peaks.

usage: kernels.py --tenon build/release/bin/tenon [--types f32,f16] [--kinds gemm,conv] [--timing-cache FILE] [--no-tune]
                  [--seconds 400] [--out kernels.json]

A row per problem and type goes to the file as soon as it is there, so a run that was cut off, or that ended after --seconds, goes on with
what is missing. A row says the kernel that tuning chose, microseconds a launch in a graph of 32, the microseconds that the problem's bytes
through memory or its arithmetic need at the peaks of devices/*.txt, the share of these, and the largest difference from the reference as a
share of the largest value. Outputs are poisoned before. A kernel that differs by more than its types explain, or a problem that no kernel
takes, is a row with an error; the exit code is then 1.

example: kernels.py --tenon build/release/bin/tenon --types f16 --kinds gemm,conv --out /tmp/kernels.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROBLEMS = Path(__file__).resolve().parents[1] / "problems"
# How a line's types are written: those it names stay, a line without any gets these.
TYPED = {
    "gemm": "a={t} b={t} out={t}",
    "conv": "x={t} w={t} out={t}",
    "reduce": "in={t} out={t}",
    "norm": "type={t}",
    "pool": "type={t}",
    "attention": "type={t} mask_type={t}",
    "copy": "type={t}",
    "resize": "type={t}",
    "recurrent": "type={t}",
}


def typed(line: str, dtype: str) -> str | None:
    """The problem in that type; None where the line says its types itself and another is wanted."""
    kind, rest = line.split("{", 1)
    if dtype == "f32":
        return line
    if kind not in TYPED or "epilogue={" in rest or any(name in rest for name in ("a=", "x=", "in=f", "type=", "out=f")):
        return None
    return f"{kind}{{{TYPED[kind].format(t=dtype)} {rest}"


def jobs(kinds: list[str], types: list[str]) -> list[tuple[str, str]]:
    out = []
    for path in sorted(PROBLEMS.glob("*.txt")):
        if kinds and path.stem not in kinds:
            continue
        for line in path.read_text().splitlines():
            line = line.strip()
            if not line or line.startswith("#") or "=f64" in line:  # doubles stay on the host
                continue
            out += [(problem, dtype) for dtype in types if (problem := typed(line, dtype)) is not None]
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenon", type=Path, required=True)
    parser.add_argument("--types", default="f32,f16")
    parser.add_argument("--kinds", default="")
    parser.add_argument("--timing-cache", type=Path)
    parser.add_argument("--no-tune", action="store_true")
    parser.add_argument("--seconds", type=float, default=400)
    parser.add_argument("--out", type=Path, default=Path("kernels.json"))
    arguments = parser.parse_args()
    more = ["--no-tune"] if arguments.no_tune else []
    if arguments.timing_cache:
        more += ["--timing-cache", str(arguments.timing_cache)]

    rows: list[dict[str, Any]] = json.loads(arguments.out.read_text()) if arguments.out.exists() else []
    done = {(row["asked"], row["type"]) for row in rows}
    end = time.monotonic() + arguments.seconds
    left = 0
    for problem, dtype in jobs([k for k in arguments.kinds.split(",") if k], arguments.types.split(",")):
        if (problem, dtype) in done:
            continue
        if time.monotonic() > end:
            left += 1
            continue
        command = [str(arguments.tenon), "bench", problem, "--device", "cuda", "--check", "--json", *more]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        row: dict[str, Any] = {"asked": problem, "type": dtype}
        try:
            row.update(json.loads(ran.stdout))
        except json.JSONDecodeError:
            row["error"] = (ran.stderr or ran.stdout).strip()[-500:]
        rows.append(row)
        arguments.out.write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
        print(f"{row.get('us', 0):9.2f} us  {100 * row.get('share', 0):5.1f} %  {dtype}  {problem}  {row.get('error', '')}", flush=True)
    wrong = sum("error" in row for row in rows)
    print(f"{len(rows) - wrong} passed, {wrong} failed, {left} left")
    return 1 if wrong or left else 0


if __name__ == "__main__":
    sys.exit(main())
