import unittest

import support  # noqa: F401
import numpy as np
from seqgrad.arguments import ArgumentsError
from seqgrad.frameworks import FrameworkError
from seqgrad.program import Program, trial_batch
from seqgrad.step import StepProgram, implied_value, parts_of


def nll(logits, targets):
    z = logits - logits.max(-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, targets[..., None], -1)[..., 0], np.exp(log_p)


def mean(logits, targets, mask):
    losses, p = nll(logits, targets)
    d = p - np.eye(logits.shape[-1])[targets]
    n = mask.sum().astype(losses.dtype)
    return (losses * mask).sum() / n, d.astype(losses.dtype) * mask[..., None] / n


class ProgramOfNumpy(unittest.TestCase):
    def test_hello(self):
        self.assertEqual(Program(mean).hello(), {
            "protocol": "1", "name": "mean", "framework": f"numpy {np.__version__}", "takes": "logits targets mask",
            "dtypes": "F64 F32 F16", "axis": "all", "gradients": "d_logits"})
        p = Program(lambda row_loss, mask: (row_loss * mask).sum(1), layout=None, smoothing=0.1, shifts=0)
        self.assertEqual((p.hello()["axis"], p.hello()["gradients"], p.hello()["smoothing"]), ("time", "", "0.1"))
        self.assertEqual(Program(lambda row_loss, mask: (row_loss * mask).sum(0)).axis, "batch")
        self.assertEqual(Program(lambda row_loss, mask: row_loss * mask).axis, "none")
        self.assertEqual(Program(lambda row_loss, mask: row_loss * mask, layout="time").axis, "none")
        self.assertEqual(Program(lambda row_loss, mask: (row_loss * mask).sum(1), steps=2).axis, "time")
        self.assertEqual(Program(lambda logits, targets, mask: nll(logits[:, :-1], targets[:, 1:])[0], shifts=1).axis, "none")

    def test_answer(self):
        p = Program(mean)
        x = {n: trial_batch()[n] for n in ("logits", "targets", "mask")}
        value, gradients = p.answer(x)
        want = mean(x["logits"], x["targets"], x["mask"] != 0)
        self.assertEqual(value, want[0])
        np.testing.assert_array_equal(gradients["logits"], want[1])
        np.testing.assert_array_equal(p.answer(x, upstream=np.array(-0.5))[1]["logits"], -0.5 * want[1])
        self.assertEqual(p.answer({**x, "logits": x["logits"].astype(np.float32)})[0].dtype, np.float32)

    def test_a_gradient_that_was_announced_is_always_there(self):
        def none_of_short_ones(logits, targets, mask):
            return mean(logits, targets, mask) if logits.shape[1] > 1 else 0.0
        x = trial_batch(steps=1)
        np.testing.assert_array_equal(Program(none_of_short_ones).answer(x)[1]["logits"], np.zeros_like(x["logits"]))

    def test_an_upstream_of_each_entry(self):
        def per_sentence(logits, targets, mask):
            losses, p = nll(logits, targets)
            return (losses * mask).sum(1), (p - np.eye(logits.shape[-1])[targets]) * mask[..., None]
        x = trial_batch()
        _, g = Program(per_sentence).answer(x, upstream=np.array([1.0, 3.0]))
        _, one = Program(per_sentence).answer(x)
        np.testing.assert_allclose(g["logits"], one["logits"] * np.array([1, 3])[:, None, None])

    def test_masks_are_what_the_function_takes(self):
        self.assertEqual(Program(lambda row_loss, mask: row_loss[mask].sum()).mask_kind, "bool")
        self.assertEqual(Program(lambda row_loss, mask: (row_loss * (-mask)).sum()).mask_kind, "float")

    def test_float64_that_becomes_float32_is_not_offered(self):
        def narrow(logits, targets, mask):
            return mean(logits.astype(np.float32), targets, mask)
        self.assertEqual(Program(narrow).dtypes[0], "F32")

    def test_written_inputs_are_seen(self):
        def overwrites(logits, targets, mask):
            logits -= logits.max(-1, keepdims=True)
            return mean(logits, targets, mask)
        p = Program(overwrites)
        p.answer(trial_batch())
        self.assertEqual(p.changed, ["logits"])
        p = Program(mean)
        p.answer(trial_batch())
        self.assertEqual(p.changed, [])

    def test_what_cannot_be_called_says_which_line_to_write(self):
        with self.assertRaisesRegex(FrameworkError, "^<lambda> raised KeyError: 'x'\n.*of numpy, by.*framework='torch'"):
            Program(lambda row_loss, mask: {}["x"])
        with self.assertRaisesRegex(FrameworkError, "^<lambda> raised ZeroDivisionError: [a-z ]*$"):
            Program(lambda row_loss, mask: 1 // 0)
        with self.assertRaisesRegex(FrameworkError, "^<lambda> returned None; end it with `return` and the loss$"):
            Program(lambda row_loss, mask: None)
        with self.assertRaisesRegex(FrameworkError, "expected one of torch, tensorflow"):
            Program(mean, framework="pytorch")
        with self.assertRaisesRegex(ArgumentsError, r"shape \[7\]"):
            Program(lambda row_loss, mask: np.zeros(7))


class Steps(unittest.TestCase):
    def test_parts_are_those_of_torch_chunk(self):
        self.assertEqual([s.stop - s.start for s in parts_of(5, 2)], [3, 2])
        self.assertEqual([s.stop - s.start for s in parts_of(6, 4)], [2, 2, 2])
        self.assertEqual([s.stop - s.start for s in parts_of(2, 4)], [1, 1])
        self.assertEqual(parts_of(0, 4), [])

    def test_the_loss_that_a_gradient_implies(self):
        x = trial_batch(steps=6)
        value, d = mean(x["logits"], x["targets"], x["mask"])
        self.assertAlmostEqual(implied_value(x, d), value, 12)
        self.assertEqual(implied_value(x, np.zeros_like(d)), 0)
        poisoned = {**x, "logits": np.where(x["mask"][..., None] == 1, x["logits"], np.nan)}
        self.assertAlmostEqual(implied_value(poisoned, np.where(x["mask"][..., None] == 1, d, np.nan)), value, 12)

    def test_a_step(self):
        def right(batches):
            return [mean(b.logits, b.targets, b.mask)[1] * b.mask.sum() / b["num_items"] for b in batches]
        x = trial_batch(steps=6)
        value, d = mean(x["logits"], x["targets"], x["mask"])
        for micro_batches, ranks in ((1, 1), (2, 1), (5, 1), (1, 2)):
            got, g = StepProgram(right, micro_batches, ranks, "numpy").answer(x)
            self.assertAlmostEqual(got, value / ranks, 12)
            np.testing.assert_allclose(g["logits"], d / ranks, atol=1e-15)

    def test_wrong_numbers_of_gradients_are_said(self):
        with self.assertRaisesRegex(FrameworkError, "returned 1 gradients for 2 batches"):
            StepProgram(lambda batches: [0], 2, 1, "numpy")
        with self.assertRaisesRegex(FrameworkError, r"gradient of shape \[\] for logits of shape"):
            StepProgram(lambda batches: [0, 0], 2, 1, "numpy")

    def test_what_a_step_raises_comes_first(self):
        with self.assertRaisesRegex(FrameworkError, "^<lambda> raised KeyError: 'x'\n.*of numpy, by.*framework="):
            StepProgram(lambda batches: {}["x"], 2, 1)
        with self.assertRaisesRegex(FrameworkError, "^<lambda> raised KeyError: 'x'$"):
            StepProgram(lambda batches: {}["x"], 2, 1, "numpy")

    def test_a_step_without_gradients_is_said(self):
        for nothing in (lambda batches: [None] * len(batches), lambda batches: [0 * b.logits for b in batches]):
            with self.assertRaisesRegex(FrameworkError, "no gradient reached the logits"):
                StepProgram(nothing, 2, 1, "numpy")
        with self.assertRaisesRegex(FrameworkError, "returned no gradients"):
            StepProgram(lambda batches: 1.5, 2, 1, "numpy")

    def test_a_number_of_parts(self):
        for wrong in ("x", 1.5, True, None):
            with self.assertRaisesRegex(TypeError, f"micro_batches={wrong!r}: a whole number"):
                StepProgram(mean, wrong, 1, "numpy")
        with self.assertRaisesRegex(ValueError, "ranks=0: at least 1"):
            StepProgram(mean, 1, 0, "numpy")


if __name__ == "__main__":
    unittest.main()
