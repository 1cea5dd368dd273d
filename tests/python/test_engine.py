"""Building, saving, loading, running, refitting."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import tenon

W = np.arange(6, dtype=np.float32).reshape(3, 2)
B = np.array([0.5, -1], np.float32)


def test_inputs_and_outputs(affine: tenon.Engine) -> None:
    (x,) = affine.inputs
    assert (x.name, x.dtype, x.shape, x.type) == ("x", tenon.DType.f32, ("n", 3), "f32[n, 3]")
    assert [(info.name, info.shape) for info in affine.outputs] == [("y", ("n", 2)), ("s", ("n", 3))]
    assert {info.name: info.shape for info in affine.weights} == {"w": (3, 2), "b": (2,)}
    assert affine.target == "cpu"
    assert affine.targets == ("cpu", "portable")
    assert "x: f32[n, 3]" in repr(affine)


@pytest.mark.parametrize("batch", [1, 4, 0])
def test_run(affine: tenon.Engine, batch: int) -> None:
    x = np.random.default_rng(0).standard_normal((batch, 3), np.float32)
    for out in (affine(x), affine(x=x), affine({"x": x})):
        assert list(out) == ["y", "s"]
        np.testing.assert_allclose(out["y"], x @ W + B, rtol=1e-6)
        np.testing.assert_array_equal(out["s"], x + x)


def test_lists_become_arrays(affine: tenon.Engine) -> None:
    np.testing.assert_array_equal(affine([[1, 2, 3]])["s"], [[2, 4, 6]])


def test_inputs_of_any_stride(affine: tenon.Engine) -> None:
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    np.testing.assert_array_equal(affine(x)["s"], x + x)
    big_endian = x.astype(">f4")
    with pytest.raises(tenon.InvalidArgumentError, match="input 'x'"):
        affine(big_endian)


def test_results_are_the_callers(affine: tenon.Engine) -> None:
    context = affine.create_context()
    first = context(np.ones((2, 3), np.float32))["s"]
    second = context(np.zeros((2, 3), np.float32))["s"]
    np.testing.assert_array_equal(first, 2)
    np.testing.assert_array_equal(second, 0)
    first[:] = 7  # writable
    del context
    np.testing.assert_array_equal(second, 0)


def test_an_idle_engine_lets_go_of_inputs(affine: tenon.Engine) -> None:
    x = np.ones((2, 3), np.float32)
    before = sys.getrefcount(x)
    affine(x)
    assert sys.getrefcount(x) == before


def test_context_tells_shapes_and_memory(affine: tenon.Engine) -> None:
    context = affine.create_context()
    x = np.ones((5, 3), np.float32)
    assert context.output_shapes(x) == {"y": (5, 2), "s": (5, 3)}
    assert context.memory(x) >= 0


def test_save_and_load(affine: tenon.Engine, tmp_path: Path) -> None:
    path = tmp_path / "affine.engine"
    affine.save(path)
    x = np.ones((2, 3), np.float32)
    assert path.read_bytes() == affine.serialize()
    for loaded in (tenon.load(path), tenon.load(str(path)), tenon.load(path.read_bytes()), tenon.load(path, target="portable")):
        np.testing.assert_array_equal(loaded(x)["y"], affine(x)["y"])
    assert tenon.load(path, target="portable").target == "portable"
    assert tenon.load(path, verify_weights=True).target == "cpu"
    assert list(tmp_path.iterdir()) == [path]


def test_builds_are_reproducible(affine_bytes: bytes, affine: tenon.Engine) -> None:
    assert tenon.build(affine_bytes).serialize() == affine.serialize()


def test_refit(affine_bytes: bytes) -> None:
    engine = tenon.build(affine_bytes)
    context = engine.create_context()
    x = np.ones((1, 3), np.float32)
    context(x)
    engine.refit({"w": W * 2, "b": [1, 2]})
    for run in (engine, context, tenon.load(engine.serialize())):
        np.testing.assert_allclose(run(x)["y"], x @ (W * 2) + [1, 2], rtol=1e-6)
    with pytest.raises(tenon.NotFoundError, match="no weight 'nope'"):
        engine.refit({"nope": W})
    with pytest.raises(tenon.InvalidArgumentError, match=r"weight 'w' is f32\[3, 2\]"):
        engine.refit({"w": W.T.copy()})
    with pytest.raises(tenon.InvalidArgumentError, match="weight 'w' must be f32"):
        engine.refit({"w": W.astype(np.float64)})


def test_shapes_fix_inputs(affine_bytes: bytes) -> None:
    engine = tenon.build(affine_bytes, shapes={"x": (4, 3)}, opt_shapes={"x": (4, 3)})
    assert engine.inputs[0].shape == (4, 3)
    assert engine(np.ones((4, 3), np.float32))["y"].shape == (4, 2)
    with pytest.raises(tenon.InvalidArgumentError):
        engine(np.ones((5, 3), np.float32))


def test_targets(affine_bytes: bytes) -> None:
    assert tenon.build(affine_bytes, targets="portable").targets == ("portable",)
    assert tenon.build(affine_bytes, targets=["cpu"]).targets == ("cpu", "portable")
    with pytest.raises(tenon.NotFoundError, match="no target 'abacus'"):
        tenon.build(affine_bytes, targets="abacus")


def test_progress(affine_bytes: bytes) -> None:
    seen: list[tuple[str, float]] = []
    tenon.build(affine_bytes, progress=lambda stage, share: seen.append((stage, share)))
    assert seen[-1] == ("done", 1.0)
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    with pytest.raises(tenon.CancelledError):
        tenon.build(affine_bytes, progress=lambda stage, share: False)


def test_progress_may_raise(affine_bytes: bytes) -> None:
    def progress(stage: str, share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tenon.build(affine_bytes, progress=progress)


def test_threads_share_an_engine(affine: tenon.Engine) -> None:
    failures: list[object] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(50):
            x = rng.standard_normal((int(rng.integers(1, 5)), 3), np.float32)
            if not np.allclose(affine(x)["y"], x @ W + B, rtol=1e-5, atol=1e-5):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_lock_is_released_while_building(digits: tenon.Engine) -> None:
    """Another thread counts on while this one builds."""
    from conftest import DIGITS

    counted: list[int] = [0]
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    tenon.build(DIGITS / "digits.onnx")
    done.set()
    thread.join()
    assert counted[0] > 100
