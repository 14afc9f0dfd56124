#!/usr/bin/env python3
"""Records loss cases from Keras 3 on TensorFlow: its cross entropy losses with masks, sample weights and reductions.

  python3 -m venv VENV && VENV/bin/pip install tensorflow-cpu safetensors && VENV/bin/python scripts/record/keras_loss.py tests/cases
"""
import itertools, os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", KERAS_BACKEND="tensorflow")
import numpy as np, tensorflow as tf, keras
from cases import Cases, active, batch, poison

keras.config.set_floatx("float64")
PEER = f"Keras {keras.__version__} (TensorFlow {tf.__version__}) losses, recorded with scripts/record/keras_loss.py"
cases = Cases(sys.argv[1], PEER)
DIVIDE = {"sum": "one", "sum_over_batch_size": "active", "mean_with_sample_weight": "weight", "none": "one"}


def ask(loss, y, x, weight=None, mask=None):
    """Value and gradient of a Keras loss object; a mask goes the way in which Keras hands masks on."""
    x = tf.constant(x.astype(np.float64))
    with tf.GradientTape() as tape:
        tape.watch(x)
        prediction = tf.identity(x)
        if mask is not None:
            prediction._keras_mask = tf.constant(mask)
        value = loss(tf.constant(y), prediction, sample_weight=None if weight is None else tf.constant(weight.astype(np.float64)))
        total = tf.reduce_sum(value)
    return value.numpy(), tf.convert_to_tensor(tape.gradient(total, x)).numpy()


def reduce(divide):
    return {"over": "none", "divide": "one"} if divide == "none" else {"over": "all", "divide": DIVIDE[divide]}


seed = 20000
for dtype, reduction, masked, weighted in itertools.product(
        ("f64", "f32"), ("sum", "sum_over_batch_size", "mean_with_sample_weight", "none"), (False, True), (False, True)):
    seed += 1
    t = batch(seed, dtype, lengths=masked)
    m = active(t)
    w = np.random.default_rng(seed).uniform(0.25, 2, m.shape).astype(np.float32) if weighted else None
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None if reduction == "none" else reduction)
    value, grad = ask(loss, t["targets"], t["logits"], w, m if masked else None)
    gold = {"value": value, "d_logits": grad * m[..., None]}
    tensors = poison(t, m)
    if weighted:
        tensors["token_weight"] = np.where(m, w, np.nan).astype(t["logits"].dtype)
    section = {"reduce": reduce(reduction)}
    if not (masked and reduction == "none"):  # an entry of a padded cell is 0 by either way of looking at it
        cases.add(f"sparse_{dtype}_{reduction}{'_masked' if masked else ''}{'_weighted' if weighted else ''}",
                  "sparse cross entropy from logits; the mask is Keras's own", section, tensors, gold)

for dtype, ignored, reduction in itertools.product(("f64", "f32"), (0, 3), ("sum", "none")):
    seed += 1
    t = batch(seed, dtype, lengths=False)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored, reduction=None if reduction == "none" else reduction)
    value, grad = ask(loss, t["targets"], t["logits"])
    cases.add(f"ignore_class_{ignored}_{dtype}_{reduction}", "ignore_class leaves the class in the softmax",
              {"mask": {"ignore_index": ignored}, "reduce": reduce(reduction)}, t, {"value": value, "d_logits": grad})

# Dense targets from logits, smoothed or not.
for dtype, reduction, smoothing in itertools.product(("f64", "f32"), ("sum", "sum_over_batch_size", "none"), (0.0, 0.1)):
    seed += 1
    t = batch(seed, dtype, V=4, lengths=False)
    q = np.random.default_rng(seed).dirichlet(np.ones(4), t["targets"].shape).astype(t["logits"].dtype)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction=None if reduction == "none" else reduction)
    value, grad = ask(loss, q.astype(np.float64), t["logits"])
    section = {"target": "dense", "reduce": reduce(reduction)}
    if smoothing:
        section["smoothing"] = {"epsilon": smoothing}
    # The rows of q sum to 1 to rounding only; Keras's own gradient takes the sum for 1.
    off = float(np.abs(q.astype(np.float64).sum(-1) - 1).max())
    cases.add(f"dense_{dtype}_{reduction}_{'smoothed' if smoothing else 'plain'}", "distributions as targets", section,
              {"logits": t["logits"], "targets": q}, {"value": value, "d_logits": grad},
              tolerance={"d_logits": {"rtol": 1e-6, "atol": 1e-12 + 4 * off}, "basis": "rows of q sum to 1 within rounding"})

# Probabilities: dense targets are renormalised and clipped; sparse ones are clipped, and their log goes through a softmax.
for dtype, kind, smoothing in itertools.product(("f64", "f32"), ("inside", "saturated", "unnormalised"), (0.0, 0.1)):
    seed += 1
    r = np.random.default_rng(seed)
    t = batch(seed, dtype, V=4, lengths=False)
    p = r.dirichlet(np.ones(4), t["targets"].shape).astype(np.float32)
    if kind == "saturated":
        p[0, 0] = [1, 0, 0, 0]
        p[1, 1] = [0, 0, 1, 0]
        t["targets"][0, 0], t["targets"][1, 1] = 1, 2
    if kind == "unnormalised":
        p = (p * np.float32(0.5)).astype(np.float32)
    p = p.astype(t["logits"].dtype)
    one_hot = np.eye(4)[t["targets"]]
    value, grad = ask(keras.losses.CategoricalCrossentropy(label_smoothing=smoothing, reduction="sum"), one_hot, p)
    section = {"input": "probs", "target": "dense", "probs": {"mode": "renorm_clip"}, "reduce": {"over": "all", "divide": "one"}}
    if smoothing:
        section["smoothing"] = {"epsilon": smoothing}
    cases.add(f"probs_dense_{dtype}_{kind}_{'smoothed' if smoothing else 'plain'}", "categorical cross entropy on probabilities",
              section, {"probs": p, "targets": one_hot.astype(p.dtype)}, {"value": value, "d_probs": grad})
    if not smoothing:
        value, grad = ask(keras.losses.SparseCategoricalCrossentropy(reduction="sum"), t["targets"], p)
        cases.add(f"probs_sparse_{dtype}_{kind}", "sparse cross entropy on probabilities: clipped, then a softmax of the log",
                  {"input": "probs", "probs": {"mode": "clip_then_softmax"}, "reduce": {"over": "all", "divide": "one"}},
                  {"probs": p, "targets": t["targets"]}, {"value": value, "d_probs": grad})

# Ids that arrive as floats are taken by Keras without a word; here they are an error.
t = batch(21000, "f64", lengths=False)
value, _ = ask(keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"), t["targets"].astype(np.float64), t["logits"])
cases.add("ids_as_floats", "ids through a float lose their last digits beyond 2^24, or 2^53", {}, {**t, "targets": t["targets"].astype(np.float64)},
          peer={"value": value}, peer_differs="Keras casts ids from float", provenance=PEER, expect={"error": "E05"})
# Published values of Keras's own tests, run again.
t = {"logits": np.array([[[8.0, 1, 1], [0, 9, 1], [2, 3, 5]]]), "targets": np.array([[0, 1, 2]])}
for reduction in ("sum_over_batch_size", "none"):
    value, grad = ask(keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None if reduction == "none" else reduction), t["targets"], t["logits"])
    cases.add(f"g13_{reduction}", "Keras losses_test: 0.0573756 and its rows", {"reduce": reduce(reduction)}, t, {"value": value, "d_logits": grad})
w = np.array([[1.2, 3.4, 5.6]])
for reduction in ("sum_over_batch_size", "mean_with_sample_weight"):
    value, grad = ask(keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction), t["targets"], t["logits"], w)
    cases.add(f"g13_weighted_{reduction}", "sample weights: divided by the cells, or by the weights", {"reduce": reduce(reduction)},
              {**t, "token_weight": w}, {"value": value, "d_logits": grad})
p = np.array([[[0.9, 0.05, 0.05], [0.5, 0.89, 0.6], [0.05, 0.01, 0.94]]])
value, grad = ask(keras.losses.CategoricalCrossentropy(reduction="sum_over_batch_size"), np.eye(3)[None], p)
cases.add("g18_renormalise", "row 2 sums to 1.99: Keras divides by the sum first", {"input": "probs", "target": "dense", "reduce": {"over": "all", "divide": "active"}},
          {"probs": p, "targets": np.eye(3)[None]}, {"value": value, "d_probs": grad})
print(len(cases.names), "cases of", PEER)
