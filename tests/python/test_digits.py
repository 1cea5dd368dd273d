"""The sample: accuracy through the API and as a program."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tenon
from conftest import DIGITS, run_python


def test_accuracy(digits: tenon.Engine, digit_images: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digit_images
    guesses = np.argmax(digits(image=images)["logits"], axis=1)
    assert np.sum(guesses == labels) == 254  # samples/digits/README.md: what onnxruntime reads
    assert np.flatnonzero(guesses != labels).tolist() == [68, 153]


def test_program(tmp_path: Path) -> None:
    engine = tmp_path / "digits.engine"
    for _ in range(2):  # builds and saves, then loads
        done = run_python(DIGITS / "digits.py", "--engine", engine)
        assert done.returncode == 0, done.stderr
        assert "accuracy: 254 of 256, 99.22%" in done.stdout
        assert "#68: 2, WRONG, is 8" in done.stdout
    assert engine.exists()
