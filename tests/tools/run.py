#!/usr/bin/env python3
"""Runs the tools as a user would: every verb, its JSON, its exit codes and the last line of its errors.

usage: run.py FOLDER     the folder that holds tenon and tenon-run
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = ROOT / "tests/models/small"
MODEL = SMALL / "cnn_residual/model.onnx"
BIN = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "build/release/bin"


def call(*words: object, tool: str = "tenon") -> subprocess.CompletedProcess[str]:
    command = [str(BIN / tool), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def message(*fields: tuple[int, bytes | int]) -> bytes:
    """A protobuf message of numbers, texts and messages."""
    return b"".join(
        varint(number << 3) + varint(value) if isinstance(value, int) else varint(number << 3 | 2) + varint(len(value)) + value
        for number, value in fields
    )


def port(name: bytes, dtype: int) -> bytes:
    """A ValueInfoProto of five elements."""
    return message((1, name), (2, message((1, message((1, dtype), (2, message((1, message((1, 5))))))))))


class Tools(unittest.TestCase):
    folder: tempfile.TemporaryDirectory[str]
    engine: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.engine = Path(cls.folder.name) / "m.engine"
        done = call("build", MODEL, "-o", cls.engine)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def ok(self, *words: object, tool: str = "tenon") -> str:
        done = call(*words, tool=tool)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def json(self, *words: object) -> Any:
        return json.loads(self.ok(*words, "--json"))

    def fails(self, code: int, says: str, *words: object, tool: str = "tenon") -> str:
        done = call(*words, tool=tool)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        last = done.stderr.splitlines()[-1]
        self.assertTrue(last.startswith(f"{tool}: error: "), last)
        self.assertIn(says, last)
        return done.stdout

    def test_precision_of_each_step(self) -> None:
        rows = {row["kind"]: row for row in self.json("inspect", self.engine, "--precision")["precision"]}
        self.assertEqual((rows["conv"]["operands"], rows["conv"]["why"]), ("f32", "as in the model"))
        engine = Path(self.folder.name) / "half.engine"
        self.ok("build", MODEL, "-o", engine, "--fp16")
        rows = {row["kind"]: row for row in self.json("inspect", engine, "--precision")["precision"]}
        self.assertEqual((rows["conv"]["operands"], rows["conv"]["sums"]), ("f16", "f32"))
        self.assertEqual(rows["conv"]["why"], "asked for: the model has f32")
        self.assertIn("asked for", self.ok("inspect", engine, "--precision"))

    def test_check(self) -> None:
        report = self.json("check", MODEL)
        self.assertEqual((report["ok"], report["issues"]), (True, []))
        self.assertGreater(report["weight_bytes"], 0)
        self.assertIn("the model can be built", self.ok("check", MODEL))
        # Two kinds of nodes under names that nobody has: each of them is told, with what to do.
        broken = Path(self.folder.name) / "broken.onnx"
        broken.write_bytes(MODEL.read_bytes().replace(b"Relu", b"Rulu").replace(b"Gemm", b"Gomm"))
        done = call("check", broken, "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        issues = json.loads(done.stdout)["issues"]
        self.assertEqual({issue["op"] for issue in issues}, {"Rulu", "Gomm"})
        self.assertTrue(all(issue["node"] and issue["reason"] and issue["advice"] for issue in issues), issues)
        self.assertIn("problem: node", call("check", broken).stdout)
        self.fails(1, "no_such", "check", "no_such.onnx")

    def test_steps_on_the_host_are_told(self) -> None:
        engine = Path(self.folder.name) / "gpu.engine"
        done = call("build", SMALL / "loop_accumulate/model.onnx", "-o", engine, "--target", "sm_90")
        if "NVRTC" in done.stderr:
            self.skipTest("NVRTC is not installed")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("run on the host", done.stderr)
        done = call("build", SMALL / "loop_accumulate/model.onnx", "-o", engine, "--target", "sm_90", "--strict")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("control flow is decided on the host", done.stderr)

    def test_kernels_are_chosen_for_the_expected_sizes(self) -> None:
        """Of a model whose batch is open: tiles for 32 where nothing is said, and for what is expected else."""
        engine, plans = Path(self.folder.name) / "expected.engine", []
        for flags in ([], ["--opt-shape", "image=32x3x32x32"], ["--opt-shape", "image=4000x3x32x32"]):
            done = call("build", MODEL, "-o", engine, "--target", "sm_90", "--fp16", "--no-tune", *flags)
            if "NVRTC, which" in done.stderr:
                self.skipTest("NVRTC is not installed")
            self.assertEqual(done.returncode, 0, done.stderr)
            plans.append(self.ok("inspect", engine, "--plan"))
        self.assertEqual(plans[0], plans[1])
        self.assertNotEqual(plans[1], plans[2])
        self.assertNotIn("4000", plans[2])

    def test_help_has_examples(self) -> None:
        for verb in ("build", "run", "bench", "test", "inspect", "env", "doctor"):
            text = self.ok(verb, "--help")
            self.assertIn("example", text, verb)
            self.assertIn("--json", text, verb)
        self.assertIn("usage:", self.ok("--help", tool="tenon-run"))
        self.assertTrue(self.ok("--version").startswith("tenon "))

    def test_wrong_usage(self) -> None:
        self.fails(2, "", "no-such-verb")
        self.fails(2, "", "build")
        self.fails(2, "", "run", self.engine, "--no-such-option")
        self.fails(2, "", "bench", self.engine, "--seconds", "soon")
        self.fails(2, "engine", tool="tenon-run")

    def test_failures(self) -> None:
        missing = Path(self.folder.name) / "missing.onnx"
        self.fails(1, "missing.onnx", "build", missing)
        self.fails(1, "missing.onnx", "run", missing)
        self.fails(1, "missing.onnx", "inspect", missing)
        self.fails(1, "missing.onnx", "test", missing)
        self.fails(1, "sm_1", "build", MODEL, "-o", missing, "--target", "sm_1")
        self.fails(1, "--shape", "run", self.engine, "--shape", "x=1xq")
        self.fails(1, "--opt-shape wants", "build", MODEL, "-o", missing, "--opt-shape", "image=1xq")
        self.fails(1, "no input", "build", MODEL, "-o", missing, "--opt-shape", "picture=1x3x32x32")
        self.fails(1, "missing", "run", self.engine, "--input", "missing=x.npy")
        self.assertIn("error", json.loads(self.fails(1, "missing.onnx", "inspect", missing, "--json")))
        self.fails(1, "missing", missing, tool="tenon-run")

    def test_build_is_a_function_of_the_model(self) -> None:
        again = Path(self.folder.name) / "again.engine"
        self.assertEqual(self.json("build", MODEL, "-o", again)["engine"], str(again))
        self.assertEqual(self.engine.read_bytes(), again.read_bytes())

    def test_run_is_a_function_of_the_seed(self) -> None:
        first = self.json("run", self.engine, "--seed", 1)
        self.assertEqual(first["outputs"], self.json("run", MODEL, "--seed", 1)["outputs"])
        self.assertNotEqual(first["outputs"], self.json("run", self.engine, "--seed", 2)["outputs"])
        self.assertTrue(first["random_inputs"])

    def test_what_keeps_its_precision_is_said(self) -> None:
        done = call("build", SMALL / "scan_rnn/model.onnx", "--fp16", "-o", Path(self.folder.name) / "scan.engine")
        self.assertRegex(done.stderr, r"warning: for 'cpu', what multiplies in bodies of control flow keeps FP32, not f16 \(nodes: 4\)")
        done = call("build", MODEL, "--fp16", "-o", Path(self.folder.name) / "half.engine")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_repeated_runs(self) -> None:
        rows = self.json("run", self.engine, "--repeat", 6)
        self.assertEqual((rows["runs"], rows["different"], len(set(rows["hashes"]))), (6, 0, 4))
        self.assertEqual(rows["hashes"][1:], self.json("run", self.engine, "--repeat", 3, "--seed", 1)["hashes"])
        self.fails(1, "--repeat", "run", self.engine, "--repeat", 2, "--save-outputs", Path(self.folder.name) / "none.npz")
        # The script for GPUs, where there is no kernel that could begin too early.
        script = [sys.executable, ROOT / "tests/gpu/determinism.py", f"{MODEL}=--disable-pass merge_common", "--tenon", BIN / "tenon"]
        done = subprocess.run([*map(str, script), "--target", "cpu", "--runs", "5"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        row = json.loads(done.stdout)[0]
        self.assertTrue(row["same"])
        self.assertEqual(row["modes"]["stress"]["hashes"], row["modes"]["plain"]["hashes"])

    def test_devices(self) -> None:
        on_host = self.json("run", MODEL, "--device", "cpu", "--seed", 1)
        on_device = self.json("run", MODEL, "--device", "mock", "--seed", 1)
        self.assertEqual((on_host["target"], on_device["target"]), ("cpu", "mock"))
        self.assertEqual(self.json("run", self.engine, "--device", "cpu", "--seed", 1)["outputs"], on_host["outputs"])
        mock = Path(self.folder.name) / "mock.engine"
        self.ok("build", MODEL, "-o", mock, "--device", "mock")
        self.assertEqual(self.json("inspect", mock)["targets"], ["mock", "portable"])
        self.assertEqual(self.json("run", mock, "--device", "mock:0")["target"], "mock")
        self.assertEqual(self.json("run", mock, "--device", "cpu")["target"], "portable")
        self.assertEqual(self.json("bench", mock, "--device", "mock", "--iterations", 2, "--warmup", 0)["target"], "mock")
        steps = self.json("bench", mock, "--device", "mock", "--iterations", 2, "--warmup", 0, "--resident", "--profile")["steps"]
        self.assertTrue(all(step["name"] for step in steps) and len(steps) > 3, steps)
        self.assertEqual(self.ok("test", SMALL / "cnn_residual", "--device", "mock").splitlines()[-1], "1 passed, 0 failed")
        self.assertIn("target portable", self.ok(mock, "--device", "cpu", "--info", tool="tenon-run"))
        self.fails(1, "no plan that runs on mock", "run", self.engine, "--device", "mock")
        self.fails(1, "no plan that runs on mock", self.engine, "--device", "mock", tool="tenon-run")
        self.fails(1, "there is no device 'abacus'", "run", self.engine, "--device", "abacus")
        self.fails(1, "there is no mock device 7", "run", mock, "--device", "mock:7")
        self.fails(1, "abacus", "build", MODEL, "-o", mock, "--device", "abacus")

    def test_saved_outputs(self) -> None:
        archive, folder = Path(self.folder.name) / "out.npz", Path(self.folder.name) / "out"
        self.ok("run", self.engine, "--input", SMALL / "cnn_residual/test_data_set_0", "--save-outputs", archive)
        self.ok("run", self.engine, "--input", SMALL / "cnn_residual/test_data_set_0", "--save-outputs", folder, "--quiet")
        with zipfile.ZipFile(archive) as members:
            self.assertIsNone(members.testzip())
            names = members.namelist()
            self.assertEqual(sorted(names), sorted(path.name for path in folder.iterdir()))
            for name in names:
                self.assertEqual(members.read(name), (folder / name).read_bytes())

    def test_npy_inputs(self) -> None:
        # An input written by hand as NumPy does, given alone and in an archive.
        port = self.json("inspect", self.engine)["inputs"][0]
        dims = [int(dim) if dim.strip().isdigit() else 1 for dim in port["type"].split("[")[1].rstrip("]").split(",")]
        elems = 1
        for dim in dims:
            elems *= dim
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, dims))},), }}"
        header += " " * (-(10 + len(header) + 1) % 64) + "\n"
        array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(4 * elems)
        alone, archive = Path(self.folder.name) / "x.npy", Path(self.folder.name) / "x.npz"
        alone.write_bytes(array)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
            members.writestr(port["name"] + ".npy", array)
        one = self.json("run", self.engine, "--input", f"{port['name']}={alone}")
        two = self.json("run", self.engine, "--input", archive)
        self.assertEqual(one["outputs"], two["outputs"])
        self.assertEqual(one["random_inputs"], [])
        alone.write_bytes(array[:-1])
        self.fails(1, "npy", "run", self.engine, "--input", f"{port['name']}={alone}")

    def test_shapes(self) -> None:
        port = self.json("inspect", self.engine)["inputs"][0]
        dims = [dim.strip() for dim in port["type"].split("[")[1].rstrip("]").split(",")]
        self.assertFalse(all(dim.isdigit() for dim in dims), "the model has no free dim")
        shape = [dim if dim.isdigit() else "3" for dim in dims]
        for file in (MODEL, self.engine):
            out = self.json("run", file, "--shape", f"{port['name']}={'x'.join(shape)}")
            self.assertIn(f"[{', '.join(shape)}]", out["random_inputs"][0])

    def test_inspect(self) -> None:
        model, engine = self.json("inspect", MODEL), self.json("inspect", self.engine, "--memory", "--plan", "--graph", "--verify")
        self.assertEqual(model["kind"], "onnx")
        self.assertEqual(model["unknown_operators"], {})
        self.assertEqual(engine["targets"], ["cpu", "portable"])
        self.assertEqual([row["name"] for row in engine["inputs"]], [row["name"] for row in model["inputs"]])
        self.assertGreaterEqual(engine["memory"]["activation_bytes"], engine["memory"]["lower_bound_bytes"])
        self.assertTrue(engine["plan"] and engine["graph"])
        self.assertEqual(sum(row["bytes"] > 0 for row in engine["sections"] if row["name"] == "data"), 1)
        self.assertIn("section", self.ok("inspect", self.engine))
        self.fails(1, "no engine", "inspect", MODEL, "--plan")

    def test_damaged_engine(self) -> None:
        bytes_ = bytearray(self.engine.read_bytes())
        bytes_[len(bytes_) // 2] ^= 255
        damaged = Path(self.folder.name) / "damaged.engine"
        damaged.write_bytes(bytes_[: len(bytes_) - 1])
        self.fails(1, "truncated", "run", damaged)
        self.fails(1, "truncated", "inspect", damaged)

    def test_bench(self) -> None:
        engine = self.json("bench", self.engine, "--iterations", 5, "--warmup", 0)
        self.assertEqual(engine["runs"], 5)
        self.assertLessEqual(engine["p50_us"], engine["p99_us"])
        for problem in ("gemm m=8 n=16 k=32", "gemm{m=8 n=16 k=32}"):
            row = self.json("bench", problem, "--iterations", 3, "--warmup", 0, "--check")
            self.assertEqual(row["problem"], "gemm{m=8 n=16 k=32}")
        self.fails(1, "gemm", "bench", "gemm{m=8 q=1}")
        self.fails(1, "symbols", "bench", "gemm{m=8 n=8 k=k}")

    def test_every_problem_of_the_benchmarks(self) -> None:
        for file in sorted((ROOT / "bench/problems").glob("*.txt")):
            lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
            self.ok("bench", lines[-1], "--iterations", 1, "--warmup", 0, "--check")

    def test_test(self) -> None:
        text = self.ok("test", SMALL / "cnn_residual", SMALL / "sequence")
        self.assertEqual(text.splitlines()[-1], "2 passed, 0 failed")
        names = Path(self.folder.name) / "list.txt"
        self.ok("test", SMALL, "--filter", "l*", "--write-list", names, "--jobs", 2)
        listed = names.read_text().split()
        self.assertTrue(listed)
        self.ok("test", SMALL, "--filter", "l*", "--list", names)
        names.write_text("\n".join(listed[1:]))
        done = call("test", SMALL, "--filter", "l*", "--list", names)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not listed", done.stdout)
        names.write_text("cnn_residual\nno_such_case\n")
        done = call("test", SMALL / "cnn_residual", "--list", names)
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 1 failed")

    def test_test_finds_differences(self) -> None:
        # One output of a copy of the case comes from another data set.
        source, copy = SMALL / "cnn_residual", Path(self.folder.name) / "wrong/test_data_set_0"
        copy.mkdir(parents=True)
        (copy.parent / "model.onnx").write_bytes((source / "model.onnx").read_bytes())
        (copy / "input_0.pb").write_bytes((source / "test_data_set_0/input_0.pb").read_bytes())
        (copy / "output_0.pb").write_bytes((source / "test_data_set_1/output_0.pb").read_bytes())
        done = call("test", copy.parent)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"FAIL  wrong: output 0 '.*': (index \[.*\]: got .*, wanted |shape: got )")
        self.assertEqual(done.stdout.splitlines()[-1], "0 passed, 1 failed")

    def test_env_and_doctor(self) -> None:
        self.assertIn("TENON_LOG", [row["variable"] for row in self.json("env")])
        self.assertTrue(self.json("doctor")["healthy"])

    def test_tenon_run(self) -> None:
        self.assertIn("input", self.ok(self.engine, "--info", tool="tenon-run"))
        data = SMALL / "cnn_residual/test_data_set_0"
        self.assertIn("as stored", self.ok(self.engine, "--check", data, "--iterations", 2, tool="tenon-run"))
        self.fails(1, "no plan", self.engine, "--target", "sm_1", tool="tenon-run")

    def test_branches_within_branches(self) -> None:
        # As many as protobuf has room for in its hundred levels of messages.
        file, engine = Path(self.folder.name) / "nest.onnx", Path(self.folder.name) / "nest.engine"

        def graph(level: int) -> bytes:
            def graph_of(node: bytes, inputs: bytes = b"") -> bytes:
                return message((1, node), (2, b"g")) + inputs + message((12, port(b"y", 1)))

            if level == 31:
                return graph_of(message((1, b"x"), (1, b"x"), (2, b"y"), (4, b"Add")))
            other = graph_of(message((1, b"x"), (1, b"x"), (2, b"y"), (4, b"Mul")))
            branches = [
                (5, message((1, name), (6, body), (20, 5))) for name, body in ((b"then_branch", graph(level + 1)), (b"else_branch", other))
            ]
            inputs = (
                message((11, port(b"x", 1)), (11, message((1, b"c"), (2, message((1, message((1, 9), (2, b"")))))))) if level == 0 else b""
            )
            return graph_of(message((1, b"c"), (2, b"y"), (4, b"If"), *branches), inputs)

        file.write_bytes(message((1, 10), (7, graph(0)), (8, message((1, b""), (2, 21)))))
        self.ok("build", file, "-o", engine)
        for condition, wanted in ((1, 6.0), (0, 9.0)):
            (Path(self.folder.name) / "c.bin").write_bytes(bytes([condition]))
            (Path(self.folder.name) / "x.bin").write_bytes(struct.pack("<5f", *[3.0] * 5))
            inputs = [word for name in "xc" for word in ("--input", f"{name}={self.folder.name}/{name}.bin")]
            self.assertIn(f"{wanted:g} {wanted:g}", self.ok(engine, *inputs, tool="tenon-run"))

    def test_tenon_run_unpacks_six_bits(self) -> None:
        # Cast of five numbers from f6e2m3, which lie in four bytes of a file.
        folder, engine = Path(self.folder.name) / "six", Path(self.folder.name) / "six.engine"
        folder.mkdir()
        cast = message((1, b"x"), (2, b"y"), (4, b"Cast"), (5, message((1, b"to"), (3, 1), (20, 2))))
        graph = message((1, cast), (2, b"six"), (11, port(b"x", 27)), (12, port(b"y", 1)))
        (folder / "model.onnx").write_bytes(message((1, 13), (7, graph), (8, message((1, b""), (2, 28)))))
        self.ok("build", folder / "model.onnx", "-o", engine)
        numbers = {0.0: 0, 0.125: 1, 1.0: 8, 7.5: 31, -1.0: 40}
        packed = sum(code << 6 * i for i, code in enumerate(numbers.values())).to_bytes(4, "little")
        (folder / "input_0.pb").write_bytes(message((1, 5), (2, 27), (8, b"x"), (9, packed)))
        (folder / "output_0.pb").write_bytes(message((1, 5), (2, 1), (8, b"y"), (9, struct.pack("<5f", *numbers))))
        self.assertIn("as stored", self.ok(engine, "--check", folder, tool="tenon-run"))
        (folder / "input_0.pb").write_bytes(message((1, 5), (2, 27), (8, b"x"), (9, packed + b"\0")))
        self.fails(1, "take 5 bytes, the shape says 4", engine, "--check", folder, tool="tenon-run")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
