import functools
import types
import unittest

import support  # noqa: F401
from seqgrad.arguments import ArgumentsError, arguments_of
from seqgrad.frameworks import guess


def takes(function, **names):
    return arguments_of(function, names).of


class Arguments(unittest.TestCase):
    def test_names(self):
        self.assertEqual(takes(lambda logits, targets, mask: 0), {"logits": "logits", "targets": "targets", "mask": "mask"})
        self.assertEqual(takes(lambda y_true, y_pred, sample_weight: 0),
                         {"targets": "y_true", "logits": "y_pred", "mask": "sample_weight"})
        self.assertEqual(takes(lambda y_true, y_pred, mask, sample_weight: 0)["token_weight"], "sample_weight")
        self.assertEqual(takes(lambda input, target, attention_mask, num_items_in_batch=None: 0),
                         {"logits": "input", "targets": "target", "mask": "attention_mask", "num_items": "num_items_in_batch"})
        self.assertEqual(takes(lambda hidden, weight, labels: 0), {"hidden": "hidden", "weight": "weight", "labels": "labels"})
        self.assertEqual(takes(lambda logits, labels, weight: 0)["class_weight"], "weight")
        self.assertEqual(takes(lambda row_loss, mask: 0), {"row_loss": "row_loss", "mask": "mask"})

    def test_more_ways_to_write_a_function(self):
        self.assertEqual(takes(functools.partial(lambda scale, logits, labels: 0, 2.0)), {"logits": "logits", "labels": "labels"})
        self.assertEqual(takes(lambda logits, labels, reduction="mean", ignore_index=-100, **kwargs: 0),
                         {"logits": "logits", "labels": "labels"})
        self.assertEqual(takes(lambda a, b, c: 0, a="logits", b="targets", c="mask"), {"logits": "a", "targets": "b", "mask": "c"})
        self.assertEqual(takes(lambda **kw: 0, z="logits", y="labels"), {"logits": "z", "labels": "y"})

    def test_what_does_not_fit_lists_what_may_be_asked_for(self):
        for function, names, text in ((lambda logits, targets, mask, foo: 0, {}, "'foo'.*takes="),
                                      (lambda targets, mask: 0, {}, "no logits"),
                                      (lambda logits, probs, labels: 0, {}, "logits and probs"),
                                      (lambda logits, mask: 0, {}, "not exactly one of targets"),
                                      (lambda logits, targets: 0, {}, "nothing says what is padding"),
                                      (lambda logits, pred, labels: 0, {}, "'logits' and 'pred'"),
                                      (lambda logits, labels: 0, {"x": "logits"}, "'x', which the function does not have"),
                                      (lambda logits, labels: 0, {"logits": "logit"}, "no such tensor")):
            with self.assertRaisesRegex(ArgumentsError, f"(?s){text}.*may ask for.*token_weight"
                                        if "does not have" not in text else text):
                arguments_of(function, names)

    def test_the_hint_is_what_is_missing(self):
        for function, names, hint in ((lambda logits, truth, mask: 0, {}, "'truth': 'targets'"),
                                      (lambda guess, labels: 0, {}, "'guess': 'logits'"),
                                      (lambda logits, targets, real: 0, {}, "'real': 'mask'"),
                                      (lambda row_loss, real: 0, {}, "'real': 'mask'"),
                                      (lambda q, y, mask: 0, {"q": "logits", "y": "targets"}, None),
                                      (lambda q, foo, mask: 0, {"q": "logits"}, "'foo': 'targets'"),
                                      (lambda logits, targets, mask, foo: 0, {}, "'foo': 'token_weight'")):
            if hint is None:
                self.assertIn("logits", takes(function, **names))
                continue
            with self.assertRaisesRegex(ArgumentsError, f"takes={{{hint}}}"):
                arguments_of(function, names)

    def test_what_is_no_function(self):
        class Loss:
            def __call__(self, logits, targets, mask):
                return 0
        with self.assertRaisesRegex(ArgumentsError, r"^Loss is a class; pass an instance, as Loss\(\)$"):
            arguments_of(Loss)
        with self.assertRaisesRegex(ArgumentsError, "^3.5 is no function$"):
            arguments_of(3.5)
        self.assertEqual(list(takes(Loss())), ["logits", "targets", "mask"])

    def test_framework_by_the_source(self):
        torch, jnp, np = types.ModuleType("torch"), types.ModuleType("jax.numpy"), types.ModuleType("numpy")

        def build(source, **names):
            exec(source, names)
            return names["f"]
        self.assertEqual(guess(build("def f(logits): return T.relu(logits)", T=torch, np=np)), "torch")
        self.assertEqual(guess(build("def g(x): return jnp.exp(x)\ndef f(logits): return g(logits)", jnp=jnp, np=np)), "jax")
        self.assertEqual(guess(build("def f(logits): return np.exp(logits)", np=np, torch=torch)), "numpy")
        self.assertEqual(guess(build("def f(row_loss, mask): return (row_loss * mask).sum()", torch=torch, np=np)), "torch")
        self.assertEqual(guess(build("def f(x):\n import torch\n return torch.exp(x)")), "torch")
        self.assertEqual(guess(build("def f(x): return x")), "numpy")
        self.assertEqual(guess(functools.partial(build("def f(a, x): return T.exp(x)", T=torch), 1)), "torch")


if __name__ == "__main__":
    unittest.main()
