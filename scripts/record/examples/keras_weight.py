"""Keras's cross entropy with sample_weight, meant to be a weighted mean. It is not; `--fixed` is.

  VENV/bin/python scripts/record/examples/keras_weight.py FOLDER [--fixed]
"""
import os, pathlib, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")
import keras, numpy as np, tensorflow as tf
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "apps/python/src"))  # or pip install ./apps/python
from seqgrad import write_case

B, T, V = 3, 4, 6
r = np.random.default_rng(8)
logits = r.standard_normal((B, T, V)).astype(np.float32)
targets, weight = r.integers(0, V, (B, T)), r.uniform(0.1, 2, (B, T)).astype(np.float32)

z = tf.constant(logits)
reduction = "mean_with_sample_weight" if "--fixed" in sys.argv else "sum_over_batch_size"  # Keras's default: the bug
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
with tf.GradientTape() as tape:
    tape.watch(z)
    value = loss(targets, z, sample_weight=weight)

write_case(sys.argv[1], loss={"reduce": {"over": "all", "divide": "weight"}}, provenance=f"Keras {keras.__version__}, keras_weight.py",
           about="sample_weight", logits=logits, targets=targets, token_weight=weight,
           gold={"value": value.numpy(), "d_logits": tape.gradient(value, z).numpy()})
