"""What goes through the executable: cases, our loss, pages, runs, the command line."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from support import ROOT, SOURCE, environment, needs_executable, run_python
import numpy as np
import seqgrad
from test_program import mean


@needs_executable
class Executable(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        r = np.random.default_rng(3)
        self.x = {"logits": r.standard_normal((2, 3, 5)), "targets": r.integers(0, 5, (2, 3)), "mask": np.array([[1, 1, 1], [1, 0, 0]])}

    def test_our_loss(self):
        value, d = mean(self.x["logits"], self.x["targets"], self.x["mask"])
        found = seqgrad.loss(**self.x, means="torch.mean")
        self.assertAlmostEqual(found.value, value, 12)
        np.testing.assert_allclose(found.gradients["logits"], d, atol=1e-15)
        self.assertEqual((found.divisor, found.row_loss.shape, found.row_loss[1, 1]), (4, (2, 3), 0))
        vector = seqgrad.loss(**self.x, means={"reduce": {"over": "time", "divide": "active"}})
        self.assertEqual(vector.value.shape, (2,))
        total = seqgrad.loss(**self.x, means={"preset": "sum"}).value
        for means in ("sum", "preset: sum", "loss: {preset: sum}", "loss:\n  preset: sum\n  softcap: null"):
            self.assertEqual(seqgrad.loss(**self.x, means=means).value, total, means)
        with self.assertRaisesRegex(seqgrad.SeqgradError, "outside .0,5."):
            seqgrad.loss(self.x["logits"], self.x["targets"] + 9, mask=self.x["mask"])
        with self.assertRaisesRegex(seqgrad.SeqgradError, "did you mean"):
            seqgrad.loss(**self.x, means="torch.meen")

    def test_cases(self):
        value, d = mean(self.x["logits"], self.x["targets"], self.x["mask"])
        folder = seqgrad.write_case(self.path / "right", {"preset": "torch.mean"}, "numpy", {"value": value, "d_logits": d}, **self.x)
        case = seqgrad.read_case(folder)
        np.testing.assert_array_equal(case.tensors["logits"], self.x["logits"])
        self.assertEqual((case.loss, case.gold["value"], case.keys["tolerance"]), ({"preset": "torch.mean"}, value, {"class": "f64"}))
        self.assertTrue(seqgrad.run_case(folder))
        self.assertTrue(seqgrad.run_case(folder, mean))

        def half(logits, targets, mask):
            value, d = mean(logits, targets, mask)
            return value / 2, d
        wrong = seqgrad.run_case(folder, half)
        self.assertFalse(wrong)
        self.assertIn("FAIL", str(wrong))
        self.assertTrue(seqgrad.run_case(seqgrad.write_case(self.path / "named", "torch.mean", "numpy", {"value": value}, **self.x)))
        with self.assertRaisesRegex(ValueError, "unknown.*logit"):
            seqgrad.write_case(self.path / "x", {}, logit=self.x["logits"])
        with self.assertRaisesRegex(ValueError, "0 and 1"):
            seqgrad.write_case(self.path / "x", {}, mask=[0.5])

    def test_cases_written_by_hand(self):
        case = seqgrad.read_case(ROOT / "tests/cases/tfa/flags_ffft_f32")
        self.assertIn("tfa.sequence_loss", str(case.loss))
        self.assertTrue(seqgrad.run_case(case.path))

    def test_a_page(self):
        page = seqgrad.explain(self.x["logits"], self.x["targets"], self.x["mask"], tokens=["<pad>", "</s>", "ein", "Hund", "bellt"],
                               means="torch.mean")
        self.assertIn("Hund", page.html)
        with self.assertRaisesRegex(ValueError, "^tokens: 3 for 5 classes$"):
            seqgrad.explain(**self.x, tokens=["a", "b", "c"])
        with self.assertRaisesRegex(ValueError, "^tokens: expected a text for each class, got 1$"):
            seqgrad.explain(**self.x, tokens=[1, 2, 3, 4, 5])
        self.assertIn("<iframe", page._repr_html_())
        self.assertEqual(page.save(self.path / "x.html").read_text(encoding="utf-8"), page.html)
        self.assertEqual(os.listdir(self.path), ["x.html"])

    def test_a_run(self):
        run_dir = self.path / "run"
        keys = ("data.sizes.train=200", "data.sizes.dev=20", "train.log_every=1")
        subprocess.run([seqgrad.executable(), "train", str(ROOT / "configs/copy.yaml"), "--max-steps", "4", "--run-dir", str(run_dir),
                        "--quiet", *[word for key in keys for word in ("--set", key)]], check=True, capture_output=True)
        run = seqgrad.load_run(run_dir, "last")
        self.addCleanup(run.close)
        lines = ["a b c", "", "b"] * 50
        found = run.translate(lines, beam=1)
        self.assertEqual(len(found), len(lines))
        self.assertEqual(found[1], "")
        begin = time.monotonic()
        self.assertEqual(run.translate(lines[0], beam=1), found[0])
        self.assertLess(time.monotonic() - begin, 10)  # hangs, it would
        self.assertEqual(len(run._children), 1)
        self.assertTrue(any("loss" in str(line) for line in run.history))
        self.assertGreater(len(run.weights), 3)
        with self.assertRaisesRegex(ValueError, "end of line"):
            run.translate("a\nb")
        with self.assertRaisesRegex(seqgrad.SeqgradError, "1048576|bytes"):
            run.translate("a" * ((1 << 20) + 10), beam=1)
        self.assertEqual(run.translate(["a b c"], beam=1), [found[0]])  # a new child
        with self.assertRaisesRegex(FileNotFoundError, "no run directory"):
            seqgrad.load_run(self.path)
        with self.assertRaisesRegex(FileNotFoundError, "checkpoints: .*last"):
            seqgrad.load_run(run_dir, "step-9").weights

    def test_the_command_line(self):
        env = {**os.environ, "PYTHONPATH": SOURCE}
        done = subprocess.run([sys.executable, "-m", "seqgrad", "--version"], env=env, capture_output=True, text=True)
        self.assertEqual(done.stdout, subprocess.run([seqgrad.executable(), "--version"], capture_output=True, text=True).stdout)
        self.assertIn(seqgrad.__version__, done.stdout)

    def test_nothing_is_imported_that_is_not_needed(self):
        watched = "[m for m in ('numpy', 'torch', 'jax', 'tensorflow', 'keras', 'mlx', 'yaml') if m in sys.modules]"
        done = run_python(f"import sys, seqgrad, seqgrad.__main__; print({watched}); seqgrad.check; seqgrad.loss; print({watched})")
        self.assertEqual(done.stdout.split("\n")[:2], ["[]", "['numpy']"], done.stderr)
        self.assertEqual(sorted(set(seqgrad.__all__) - set(dir(seqgrad))), [])
        self.assertTrue(all(getattr(seqgrad, name) for name in seqgrad.__all__))


class NoExecutable(unittest.TestCase):
    def test_it_says_what_to_do(self):
        with environment(SEQGRAD_EXECUTABLE=None, PATH="/usr/bin:/bin"):
            done = run_python("import seqgrad.child as c, pathlib; c.HERE = pathlib.Path('/nowhere/at/all/here'); c.executable()")
        self.assertIn("scripts/build.sh", done.stderr)

    def test_a_path_that_was_named_is_taken_before_the_wheel_s_own(self):
        with tempfile.TemporaryDirectory() as folder:
            own = pathlib.Path(folder) / "bin" / "seqgrad"
            own.parent.mkdir()
            own.touch()
            ask = f"import seqgrad.child as c, pathlib; c.HERE = pathlib.Path({folder!r}); print(c.executable())"
            for named, found in ((None, str(own)), (sys.executable, sys.executable)):
                with environment(SEQGRAD_EXECUTABLE=named):
                    self.assertEqual(run_python(ask).stdout.strip(), found)

    def test_a_path_that_is_no_program(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "seqgrad"
            for make, words in ((lambda: None, "there is no such program"), (lambda: file.write_text("words"), "it is not executable"),
                                (lambda: file.chmod(0o755), "cannot be started: Exec format error"),
                                (lambda: (file.unlink(), file.mkdir()), "it is a folder")):
                make()
                with environment(SEQGRAD_EXECUTABLE=str(file)):
                    for ask in (lambda: seqgrad.which(mean), lambda: seqgrad.run_case(folder)):
                        with self.assertRaisesRegex(seqgrad.SeqgradError, words):
                            ask()

    def test_a_console_script_is_not_taken_for_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "seqgrad"
            script.write_text("#!/bin/sh\necho me\n")
            script.chmod(0o755)
            with environment(SEQGRAD_EXECUTABLE=None, PATH=f"{folder}:/usr/bin:/bin"):
                done = run_python("import seqgrad.child as c, pathlib; c.HERE = pathlib.Path('/nowhere/at/all/here'); c.executable()")
            self.assertIn("scripts/build.sh", done.stderr)


if __name__ == "__main__":
    unittest.main()
