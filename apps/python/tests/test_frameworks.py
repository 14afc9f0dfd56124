"""Functions of the frameworks that are installed: values that train nothing are refused, with the reason."""
import importlib.util
import os
import unittest

import support  # noqa: F401
from seqgrad.frameworks import FrameworkError
from seqgrad.program import Program, trial_batch
from seqgrad.step import StepProgram

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class TrainsNothing:
    """`losses`: (function of logits, targets, mask that is right, functions that make nothing of its value)."""
    name = ""

    def setUp(self):
        if not importlib.util.find_spec(self.name):
            self.skipTest(f"{self.name} is not installed")
        self.right, self.cut = self.losses()

    def test_a_right_one_has_its_gradient(self):
        self.assertEqual(Program(self.right, framework=self.name).gradients, ["logits"])

    def test_off_the_graph(self):
        for cut in self.cut:
            def cut_off(logits, targets, mask):
                return cut(self.right(logits, targets, mask))
            with self.assertRaisesRegex(FrameworkError, "cut_off: no gradient of its value reaches logits"):
                Program(cut_off, framework=self.name)

    def test_a_list_is_no_value(self):
        for kind in (list, tuple):
            def boxed(logits, targets, mask):
                return kind([self.right(logits, targets, mask)])
            with self.assertRaisesRegex(FrameworkError, f"boxed returned a {kind.__name__} of 1.*return the value itself"):
                Program(boxed, framework=self.name)


class Torch(TrainsNothing, unittest.TestCase):
    name = "torch"

    def losses(self):
        import torch.nn.functional as F

        def right(logits, targets, mask):
            return (F.cross_entropy(logits.transpose(1, 2), targets, reduction="none") * mask).sum() / mask.sum()
        return right, (lambda x: x.detach(), lambda x: x.item(), lambda x: x.detach().requires_grad_(True))

    def test_steps_that_call_backward(self):
        def step(batches):
            losses = [self.right(b.logits, b.targets, b.mask) * b.mask.sum() / b.num_items for b in batches]
            for loss in losses:
                loss.backward()
            return losses

        def told(batches):
            return sum(step(batches)).detach()

        def number(batches):
            return sum(step(batches)).item()

        def silent(batches):
            step(batches)

        def forgotten(batches):
            return self.right(batches[0].logits, batches[0].targets, batches[0].mask)
        x = trial_batch(steps=6)
        want = Program(self.right, framework="torch").answer(x)
        for function in (told, number, silent):
            value, gradients = StepProgram(function, 2, 1, "torch").answer(x)
            self.assertAlmostEqual(value, want[0], 12)
            self.assertLess(abs(gradients["logits"] - want[1]["logits"]).max(), 1e-12)
        with self.assertRaisesRegex(FrameworkError, "no gradient reached the logits.*backward"):
            StepProgram(forgotten, 2, 1, "torch")


class TensorFlow(TrainsNothing, unittest.TestCase):
    name = "tensorflow"

    def losses(self):
        import tensorflow as tf

        def right(logits, targets, mask):
            nll = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
            return tf.reduce_sum(nll * mask) / tf.reduce_sum(mask)
        return right, (tf.stop_gradient, lambda x: x.numpy(), float)


class Jax(TrainsNothing, unittest.TestCase):
    name = "jax"

    def losses(self):
        import jax
        import jax.numpy as jnp

        def right(logits, targets, mask):
            nll = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1)[..., 0]
            return (nll * mask).sum() / mask.sum()
        return right, (jax.lax.stop_gradient,)


if __name__ == "__main__":
    unittest.main()
