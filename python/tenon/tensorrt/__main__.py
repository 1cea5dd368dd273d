"""Runs a script that was written for TensorRT."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from tenon.tensorrt import install


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tenon.tensorrt",
        description="Runs a script in which `import tensorrt` gives Tenon, on the CPU.",
        epilog="example: python -m tenon.tensorrt onnx_to_engine.py --model model.onnx",
    )
    parser.add_argument("script", type=Path, help="a Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the script takes")
    options = parser.parse_args()
    install()
    sys.argv = [str(options.script), *options.arguments]
    sys.path[0] = str(options.script.parent)
    runpy.run_path(str(options.script), run_name="__main__")


if __name__ == "__main__":
    main()
