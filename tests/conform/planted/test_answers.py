"""The numpy twins of the planted bugs and right losses give the numbers that the frameworks gave;
and the tables are complete."""
import io
import pathlib
import struct
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import adapter  # noqa: E402
import numpy as np  # noqa: E402
import numpy_bugs  # noqa: E402
import numpy_right  # noqa: E402
import serve  # noqa: E402
from batches import batches, digest, projection  # noqa: E402

FRAMEWORKS = ("torch", "keras", "jax")
LIMITS = {"F64": 1e-11, "BF16": 2.0 ** -6}  # 16-bit values are rounded to 8 bits, by each framework at other places


def recorded(name):
    data = (HERE / "answers" / f"{name}.safetensors").read_bytes()
    tensors, _, meta = adapter.read(io.BytesIO(struct.pack("<Q", len(data)) + data))
    return tensors, meta


def twin(name):
    return getattr(numpy_bugs, name, None) or getattr(numpy_right, name)


class Answers(unittest.TestCase):
    def test_the_numbers_are_the_frameworks(self):
        known = serve.losses()
        for framework in FRAMEWORKS:
            tensors, meta = recorded(framework)
            self.assertEqual(meta["batches"], digest(batches("logits targets mask")))
            self.assertTrue(meta["framework"].startswith(framework))
            for key, want in tensors.items():
                name, dtype = key.rsplit(".", 1)
                loss = known[name]
                prediction = next(n for n in loss["takes"].split() if n in serve.DIFFERENTIATED)
                with self.subTest(framework=framework, loss=key):
                    for i, x in enumerate(batches(loss["takes"], int(loss.get("hello", {}).get("classes", 0)) or None)):
                        if dtype == "BF16":
                            x = {n: v.astype(np.float32) if v.dtype == np.float64 else v for n, v in x.items()}
                        value, gradients, _ = serve.answer(twin(name), x, dict.fromkeys(x, dtype), {})
                        got = [np.sum(value), projection(gradients[f"d_{prediction}"])]
                        n = 2 if dtype == "F64" and np.isfinite(got[0]) else 1  # of NaN, frameworks' gradients differ
                        np.testing.assert_allclose(got[:n], want[i, :n], LIMITS[dtype], LIMITS[dtype])  # NaN equals NaN

    def test_the_tables_are_complete(self):
        known = serve.losses()
        bugs = {k: v for k, v in known.items() if "finding" in v}
        self.assertGreaterEqual(len(bugs), 40)
        for name, loss in known.items():
            self.assertTrue(callable(twin(name)), name)
        of = {f: {key.rsplit(".", 1)[0] for key in recorded(f)[0]} for f in FRAMEWORKS}
        self.assertEqual(of["torch"], set(known))
        self.assertGreaterEqual(len((of["keras"] | of["jax"]) & set(bugs)), len(bugs) / 2)
        self.assertTrue(all(loss["from"] for loss in bugs.values()))


class Differentiation(unittest.TestCase):
    def test_gradients_are_central_differences(self):
        """autodiff.py alone, on the smooth losses: those that have no backward pass of their own."""
        by_hand = {"upstream_ignored", "first_upstream", "logits_overwritten", "gradient_of_padding", "gradient_halved"}
        for name, loss in serve.losses().items():
            if name in by_hand or "classes" in loss.get("hello", {}):
                continue
            x = batches(loss["takes"])[3]
            prediction = next(n for n in loss["takes"].split() if n in serve.DIFFERENTIATED)

            def value(z):
                v, g, _ = serve.answer(twin(name), {**x, prediction: z.copy()}, dict.fromkeys(x, "F64"), {})
                return np.sum(v), g[f"d_{prediction}"]
            z, h = x[prediction] + 1e-3, 1e-5  # off the corners of clip
            direction = np.cos(np.arange(z.size)).reshape(z.shape)
            slope = (value(z + h * direction)[0] - value(z - h * direction)[0]) / (2 * h)
            with self.subTest(loss=name):
                self.assertAlmostEqual(slope, np.sum(value(z)[1] * direction), delta=1e-7 * (1 + abs(slope)))


if __name__ == "__main__":
    unittest.main()
