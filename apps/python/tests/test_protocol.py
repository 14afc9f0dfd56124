import io
import unittest

from support import environment, fake_parent
import numpy as np
import seqgrad
from seqgrad.defaults import defaults
from seqgrad.protocol import read_frame, write_frame
from test_program import mean


class Protocol(unittest.TestCase):
    def test_frames(self):
        stream = io.BytesIO()
        write_frame(stream, {"value": np.array(2.0)}, {"round": "3"})
        write_frame(stream, {}, {})
        stream.seek(0)
        frame = read_frame(stream)
        self.assertEqual((frame.tensors["value"], frame.metadata), (2.0, {"round": "3"}))
        self.assertEqual(read_frame(stream).tensors, {})
        self.assertIsNone(read_frame(stream))
        self.assertIsNone(read_frame(io.BytesIO(stream.getvalue()[:40])))
        with self.assertRaisesRegex(seqgrad.SeqgradError, "no frame"):
            read_frame(io.BytesIO(b"hello, world"))

    def test_a_conversation(self):
        with fake_parent("holds"):
            report = seqgrad.which(mean, means="torch.mean", seed=7, batches=5, only=["value", "poison"], strict=True)
        self.assertTrue(report.ok)
        self.assertEqual((str(report), report.finding, report.findings), ("the report of holds\n", "", []))
        seen = report.to_dict()["seen"]
        self.assertEqual(seen["hello"]["takes"], "logits targets mask")
        self.assertEqual(seen["argv"], ["conform", "--stdio", "--only", "value,poison", "--seed", "7", "--batches", "5", "--strict",
                                        "--means", "torch.mean"])
        full, value_only, scaled, half = seen["rounds"]
        self.assertEqual([full["value"][0], value_only["value"][0], half["value"][0]], ["float64", "float32", "float32"])
        self.assertEqual(full["meta"], {"round": "0"})
        self.assertNotIn("d_logits", value_only)
        np.testing.assert_array_equal(scaled["d_logits"][1], -0.5 * np.array(full["d_logits"][1]))
        np.testing.assert_allclose(half["value"][1], full["value"][1], rtol=1e-6)
        self.assertIn("<iframe", report._repr_html_())

    def test_a_mismatch_is_an_assertion(self):
        with fake_parent("finds"), self.assertRaises(seqgrad.LossMismatch) as caught:
            seqgrad.check(mean, means="torch.mean")
        self.assertIsInstance(caught.exception, AssertionError)
        self.assertIn("the report of finds", str(caught.exception))
        self.assertEqual(caught.exception.batch["logits"].shape, (2, 3, 4))
        self.assertEqual(caught.exception.report.finding, "divisor:positions")
        with fake_parent("finds"):
            self.assertEqual(seqgrad.which(mean).exit, 1)

    def test_an_exception_of_the_function_is_an_answer(self):
        calls = []

        def fails_late(logits, targets, mask):
            calls.append(1)
            if logits.shape == (2, 3, 4):
                raise ValueError("no such batch")
            return mean(logits, targets, mask)
        with fake_parent("crashed"), self.assertRaisesRegex(seqgrad.SeqgradError, "the report of crashed") as caught:
            seqgrad.check(fails_late)
        self.assertIsInstance(caught.exception.__cause__, ValueError)

    def test_words_of_the_executable_come_through(self):
        with fake_parent("refuses"), self.assertRaisesRegex(seqgrad.SeqgradError, "did you mean torch.mean"):
            seqgrad.check(mean, means="torch.meen")
        with fake_parent("dies"), self.assertRaisesRegex(seqgrad.SeqgradError, "std::bad_alloc"):
            seqgrad.check(mean)
        with fake_parent("garbage"), self.assertRaisesRegex(seqgrad.SeqgradError, "no frame of the protocol"):
            seqgrad.check(mean)
        with environment(SEQGRAD_EXECUTABLE="/nowhere/seqgrad"), self.assertRaisesRegex(seqgrad.SeqgradError, "no such program"):
            seqgrad.check(mean)

    def test_a_section_as_a_dict_and_defaults(self):
        with fake_parent("holds"):
            argv = seqgrad.which(mean, means={"preset": "torch.mean"}).to_dict()["seen"]["argv"]
            self.assertTrue(argv[-1].endswith("means.yaml"))
            defaults.update(seed=11, means="tf1.losses.mean")
            try:
                argv = seqgrad.which(mean).to_dict()["seen"]["argv"]
            finally:
                defaults.clear()
            self.assertEqual(argv[2:], ["--seed", "11", "--means", "tf1.losses.mean"])

    def test_a_step(self):
        with fake_parent("holds"):
            report = seqgrad.check_step(lambda batches: [mean(b.logits, b.targets, b.mask)[1] for b in batches], micro_batches=2,
                                        framework="numpy")
        self.assertEqual(report.to_dict()["seen"]["hello"]["takes"], "logits targets mask lengths")


if __name__ == "__main__":
    unittest.main()
