"""Reads handwritten digits with an engine built from digits.onnx: draws some, prints predictions, accuracy and latency.

python samples/digits/digits.py [--engine digits.engine] [--device cuda:0]

Exit code: 0 if at least 98 % are read right.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

import tenon

WANTED_ACCURACY = 0.98
Images = npt.NDArray[np.float32]  # [count, 1, 28, 28], 0 (background) to 1 (ink)
Digits = npt.NDArray[np.int64]  # [count]


def read_images(folder: Path) -> tuple[Images, Digits]:
    """Images and labels from idx files: a header of 4 bytes and 4 more for each dim, then the bytes."""
    images = np.fromfile(folder / "test-images.idx3-ubyte", np.uint8, offset=16).reshape(-1, 1, 28, 28)
    labels = np.fromfile(folder / "test-labels.idx1-ubyte", np.uint8, offset=8)
    return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)


def open_engine(model: Path, engine: Path | None, device: str | None) -> tenon.Engine:
    """Loads the engine on a device if it is there, else builds it, and saves it if it has a path."""
    if engine is not None and engine.exists():
        return tenon.load(engine, device=device)
    built = tenon.build(model, device=device)
    if engine is not None:
        built.save(engine)
    return built


def classify(context: tenon.Context, images: Images) -> tuple[Digits, float]:
    """The digits, and the seconds it took."""
    start = time.perf_counter()
    logits = context(image=images)["logits"]
    return np.argmax(logits, axis=1), time.perf_counter() - start


def picture(image: Images, terminal: bool) -> list[str]:
    """The middle 20 × 20 pixels, where the ink is: one line for each two rows; half blocks in shades of grey on a terminal."""
    lines = []
    for top, bottom in image[0, 4:24, 4:24].reshape(10, 2, 20):
        if terminal:
            shades = [(232 + int(t * 23), 232 + int(b * 23)) for t, b in zip(top, bottom, strict=True)]
            lines.append("".join(f"\033[38;5;{t};48;5;{b}m▀" for t, b in shades) + "\033[0m")
        else:
            lines.append("".join(" .:-=+*#%@"[int((t + b) / 2 * 9.99)] for t, b in zip(top, bottom, strict=True)))
    return lines


def draw(images: Images, labels: Digits, guesses: Digits, which: Sequence[int]) -> None:
    """Five digits a row with what they are read as; wrong ones stand out."""
    terminal = sys.stdout.isatty()
    for first in range(0, len(which), 5):
        row = which[first : first + 5]
        for line in zip(*(picture(images[i], terminal) for i in row), strict=True):
            print("  ".join(line))
        captions = []
        for i in row:
            right = guesses[i] == labels[i]
            text = f"#{i}: {guesses[i]}" if right else f"#{i}: {guesses[i]}, WRONG, is {labels[i]}"
            captions.append(f"\033[1;31m{text:<20}\033[0m" if terminal and not right else f"{text:<20}")
        print("  ".join(captions) + "\n")


def main() -> int:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", type=Path, help="loaded if it is there, else built and saved there")
    parser.add_argument("--data", type=Path, default=here, help="folder of digits.onnx and the images (default: beside this file)")
    parser.add_argument("--device", help="where to run: cpu, cuda (the first GPU), cuda:1")
    options = parser.parse_args()

    images, labels = read_images(options.data)
    engine = open_engine(options.data / "digits.onnx", options.engine, options.device)
    context = engine.create_context()
    single = [classify(context, images[i : i + 1]) for i in range(len(images))]
    batch = [classify(context, images) for _ in range(5)]
    guesses = np.concatenate([digits for digits, _ in single])
    if not np.array_equal(guesses, batch[0][0]):
        raise SystemExit("digits.py: some images are read differently alone and in a batch")

    wrong = np.flatnonzero(guesses != labels)[:5].tolist()
    right = np.flatnonzero(guesses == labels)[: 10 - len(wrong)].tolist()
    draw(images, labels, guesses, right + wrong)
    accuracy = float(np.mean(guesses == labels))
    print(f"accuracy: {int(np.sum(guesses == labels))} of {len(labels)}, {accuracy:.2%}")
    alone = statistics.median(seconds for _, seconds in single) * 1e6
    together = statistics.median(seconds for _, seconds in batch) * 1e6 / len(images)
    print(f"latency (plan for {engine.target}, median): {alone:.1f} us per image alone, {together:.1f} us in a batch of {len(images)}")
    return 0 if accuracy >= WANTED_ACCURACY else 1


if __name__ == "__main__":
    sys.exit(main())
