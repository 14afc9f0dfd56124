import struct
import unittest

import support  # noqa: F401
import numpy as np
from seqgrad.tensor_file import BadTensors, decode, encode


class TensorFile(unittest.TestCase):
    def test_what_is_written_is_read(self):
        tensors = {"a": np.arange(6, dtype=np.float64).reshape(2, 3).T, "b": np.float32(2.5), "c": np.array([[-1]], np.int64),
                   "d": np.array([True, False]), "e": np.zeros((0, 4), np.float32),
                   "f": np.array([1, 2], ">i4"), "g": np.array([0, 255], np.uint8)}
        back = decode(encode(tensors, {"round": "1", "text": 'ü "quoted"\n'}))
        self.assertEqual(back.metadata, {"round": "1", "text": 'ü "quoted"\n'})
        for name, x in tensors.items():
            np.testing.assert_array_equal(back.tensors[name], x)
            self.assertEqual(back.tensors[name].shape, np.shape(x))
        self.assertEqual(back.dtypes["a"], "F64")

    def test_16_bits_are_widened(self):
        header = b'{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[4,10]}}'
        data = np.array([0.1, -2], "<f2").tobytes() + np.array([0x3FC0, 0xC000, 0x7F80], "<u2").tobytes()
        back = decode(struct.pack("<Q", len(header)) + header + data)
        np.testing.assert_array_equal(back.tensors["b"], np.array([1.5, -2, np.inf], np.float32))
        np.testing.assert_array_equal(back.tensors["h"], np.array([0.1, -2], np.float16).astype(np.float32))
        self.assertEqual(back.tensors["h"].dtype, np.float32)
        self.assertEqual(back.dtypes, {"h": "F16", "b": "BF16"})

    def test_what_is_none_is_refused(self):
        good = encode({"a": np.zeros(3)})
        for bad in (b"", b"short", struct.pack("<Q", 1 << 40) + good[8:], good[:-1], good.replace(b"F64", b"F99"),
                    good.replace(b"[0, 24]", b"[8, 24]"), good.replace(b'"shape": [3]', b'"shape": [-3]'[:12]),
                    struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 3) + b"{{{"):
            with self.assertRaises(BadTensors):
                decode(bad)
        with self.assertRaisesRegex(BadTensors, "complex128"):
            encode({"a": np.zeros(1, complex)})

    def test_the_library_reads_it(self):
        try:
            from safetensors.numpy import load, save
        except ImportError:
            self.skipTest("safetensors is not installed")
        x = {"a": np.arange(6.0).reshape(2, 3), "i": np.array([1, 2])}
        for name, back in load(encode(x, {"k": "v"})).items():
            np.testing.assert_array_equal(back, x[name])
        np.testing.assert_array_equal(decode(save(x)).tensors["a"], x["a"])


if __name__ == "__main__":
    unittest.main()
