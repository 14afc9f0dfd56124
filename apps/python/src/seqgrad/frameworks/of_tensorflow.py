"""TensorFlow, and Keras on it: GradientTape."""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the import: its notes on CPU and rounding would fill each test's report

import tensorflow as tf  # noqa: E402

name = "tensorflow"
MASKS = ("float", "bool", "int64")  # TensorFlow multiplies equal dtypes only
WRITABLE = False
DTYPES = ("F64", "F32", "BF16", "F16")
_DTYPES = {"F64": tf.float64, "F32": tf.float32, "BF16": tf.bfloat16, "F16": tf.float16, "BOOL": tf.bool}


def version() -> str:
    return tf.__version__


def compiled(function) -> bool:
    return hasattr(function, "get_concrete_function")


def tensor(array, dtype: str):
    return tf.cast(tf.constant(array), _DTYPES.get(dtype, tf.int64))


def value_and_gradients(call, tensors: dict, wanted: list, upstream, want_gradient: bool):
    sources = [tensors[n] for n in wanted]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        value = tf.convert_to_tensor(call(tensors))
    if not want_gradient:
        return value, {}
    seed = None if upstream is None else tf.reshape(tf.cast(tf.constant(upstream), value.dtype), value.shape)
    found = tape.gradient(value, sources, output_gradients=seed, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return value, dict(zip(wanted, (tf.convert_to_tensor(g) for g in found)))
