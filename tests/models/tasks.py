"""Real tasks on labelled data and on a stream, through the Python package.

usage: python3 tests/models/tasks.py FOLDER [--only TASK]

FOLDER holds test material that is not part of the repository: models/<name>/model.onnx, data/mnist, data/labelled. A classifier must
reach the accuracy that is known for it. A voice detector runs over 60 s of speech with its state carried from chunk to chunk, and must
stay within 1e-3 of onnxruntime at every chunk. The last line counts: N passed, M failed, K skipped.

example: python3 tests/models/tasks.py ../shared --only speech
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import tenon

Array = np.ndarray


def mnist(folder: Path) -> tuple[Array, Array]:
    """10,000 images [n, 784], 0 to 255, and their labels."""
    images = gzip.decompress((folder / "data/mnist/t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "data/mnist/t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    return np.frombuffer(images, np.uint8).reshape(-1, 784).astype(np.float32), np.frombuffer(labels, np.uint8)


def labelled(name: str) -> Callable[[Path], tuple[Array, Array]]:
    def load(folder: Path) -> tuple[Array, Array]:
        with np.load(folder / f"data/labelled/{name}.npz") as data:
            return data["x"], data["y"]

    return load


# A model, its data, the shape of one image and the accuracy that it is known for.
CLASSIFIERS: dict[str, tuple[Callable[[Path], tuple[Array, Array]], tuple[int, ...], float]] = {
    "mnist_cntk": (mnist, (1, 28, 28), 0.989),
    "mnist_fc_256x4": (labelled("vnn_mnist_fc"), (784, 1), 1.0),
    "cifar_oval_base": (labelled("vnn_oval_base"), (3, 32, 32), 1.0),
    "cifar_sri_resnet_a": (labelled("vnn_sri_a"), (3, 32, 32), 1.0),
    "cifar_vit_pgd_2_3_16": (labelled("vnn_vit_pgd"), (3, 32, 32), 1.0),
    "gtsrb_bnn_30": (labelled("vnn_gtsrb30"), (30, 30, 3), 1.0),
}


def classify(folder: Path, model: str) -> str | None:
    """What is wrong, or nothing."""
    load, shape, wanted = CLASSIFIERS[model]
    images, labels = load(folder)
    engine = tenon.build(str(folder / "models" / model / "model.onnx"))
    right = 0
    for image, label in zip(images, labels, strict=True):
        scores = next(iter(engine(image.reshape(1, *shape)).values()))
        right += int(np.asarray(scores).reshape(-1).argmax() == label)
    accuracy = right / len(labels)
    print(f"{model}: {right} of {len(labels)}, {accuracy:.2%}", flush=True)
    return None if accuracy >= wanted else f"accuracy {accuracy:.2%}, known for {wanted:.2%}"


def chunks(speech: Array, size: int, context: int) -> Iterator[Array]:
    """[1, context + size]: each chunk behind the end of the one before it."""
    last = np.zeros(context, np.float32)
    for start in range(0, len(speech) - size + 1, size):
        chunk = np.concatenate([last, speech[start : start + size]])
        last = chunk[len(chunk) - context :]
        yield chunk[None]


def listen(folder: Path) -> str | None:
    """silero VAD: 512 samples and 64 before them a step, its state carried on."""
    import onnxruntime  # the oracle

    path = folder / "models/silero_vad_v6_16k_op15/model.onnx"
    with lzma.open(folder / "data/labelled/speech60s_16k.npy.xz") as file:
        speech = np.load(file).astype(np.float32)
    engine, session = tenon.build(str(path)), onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rate = np.array(16000, np.int64)
    states = [np.zeros((2, 1, 128), np.float32)] * 2
    steps, worst, voiced = 0, 0.0, 0
    for chunk in chunks(speech, 512, 64):
        ours = engine(input=chunk, state=states[0], sr=rate)
        theirs = session.run(["output", "stateN"], {"input": chunk, "state": states[1], "sr": rate})
        states = [np.asarray(ours["stateN"]), theirs[1]]
        worst = max(worst, float(np.abs(ours["output"] - theirs[0]).max()), float(np.abs(states[0] - states[1]).max()))
        steps += 1
        voiced += int(theirs[0].item() > 0.5)
    print(f"silero_vad_v6_16k_op15: {steps} chunks, {voiced} with speech, furthest from onnxruntime {worst:.1e}", flush=True)
    if steps == 0 or voiced == 0:
        return "the stream holds no speech"
    return None if worst <= 1e-3 else f"differs by {worst:.1e} from onnxruntime"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=[*CLASSIFIERS, "speech"])
    arguments = parser.parse_args()
    tasks: dict[str, Callable[[], str | None]] = {
        name: lambda name=name: classify(arguments.folder, name)
        for name in CLASSIFIERS  # type: ignore[misc]
    }
    tasks["speech"] = lambda: listen(arguments.folder)
    failed = 0
    for name, task in tasks.items():
        if arguments.only not in (None, name):
            continue
        start = time.monotonic()
        wrong = task()
        failed += wrong is not None
        print(f"{'FAIL' if wrong else 'pass'} {name} ({time.monotonic() - start:.1f} s){': ' + wrong if wrong else ''}", flush=True)
    count = 1 if arguments.only else len(tasks)
    print(f"{count - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
