#!/usr/bin/env python3
"""Records loss cases from TensorFlow 2: the three recipes that people write for TF1's sequence_loss_by_example, and the
cross entropy ops that TensorFlow itself offers.

  python3 -m venv VENV && VENV/bin/pip install tensorflow-cpu safetensors && VENV/bin/python scripts/record/tensorflow_loss.py tests/cases
"""
import os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
import numpy as np, tensorflow as tf, keras
from cases import Cases, active, batch, log_softmax, poison, reference

keras.config.set_floatx("float64")
PEER = f"TensorFlow {tf.__version__}, recorded with scripts/record/tensorflow_loss.py"
cases = Cases(sys.argv[1], PEER)


def run(f, x):
    """Value and gradient, or TensorFlow's own words when it refuses."""
    x = tf.constant(x)
    try:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = f(x)
        grad = tape.gradient(value, x)
        return value.numpy(), np.zeros(x.shape) if grad is None else tf.convert_to_tensor(grad).numpy(), None
    except (tf.errors.InvalidArgumentError, tf.errors.InternalError) as e:
        return None, None, type(e).__name__


def boolean_mask_mean(t, m):
    y = tf.constant(t["targets"])
    return lambda z: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.boolean_mask(y, m), logits=tf.boolean_mask(z, m)))


def categorical_probs_mask(t, m):
    q, w = tf.constant(t["dense"]), tf.constant(m.astype(np.float64))
    return lambda p: tf.reduce_sum(keras.losses.categorical_crossentropy(q, p) * w) / tf.reduce_sum(w)


def sequence_mask_by_length(t, m):
    y, n = tf.constant(t["targets"]), tf.constant(t["lengths"])
    def loss(z):
        rows = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z)
        return tf.reduce_sum(rows * tf.sequence_mask(n, y.shape[1], dtype=z.dtype)) / tf.cast(tf.reduce_sum(n), z.dtype)
    return loss


def clipped(t, m):
    """renorm_clip of §4.4 over live rows, with e = 1e-7, in float64."""
    p = np.where(m[..., None], t["probs"], 1.0).astype(np.float64)
    s = p.sum(-1, keepdims=True)
    tilde, e = p / s, 1e-7
    c = np.clip(tilde, e, 1 - e)
    rows = np.where(m, -(t["dense"] * np.log(c)).sum(-1), 0.0)
    gamma = np.where((tilde >= e) & (tilde <= 1 - e), -t["dense"] / c, 0.0)
    n = m.sum()
    grad = np.where(m[..., None], (gamma - (gamma * tilde).sum(-1, keepdims=True)) / s, 0.0) / max(n, 1)
    return {"value": np.float64(rows.sum() / n if n else np.nan), "d_probs": grad}


RECIPES = {1: ("tf2.boolean_mask_mean", boolean_mask_mean), 2: ("tf2.categorical_probs_mask", categorical_probs_mask),
           3: ("tf2.sequence_mask_by_length", sequence_mask_by_length)}


def seed_case(number, what, about, change):
    """One recipe, B=32 T=50 V=10; `change` spoils the batch as its name says."""
    preset, recipe = RECIPES[number]
    r = np.random.default_rng(number)
    B, T, V = 32, 50, 10
    t = {"logits": (2 * r.standard_normal((B, T, V))).astype(np.float32), "targets": r.integers(0, V, (B, T)),
         "lengths": r.integers(1, T + 1, B)}
    change(t)
    m = np.arange(T)[None, :] < t["lengths"][:, None]
    if what == "empty_mask":
        m[:] = False
    t["probs"] = np.exp(log_softmax(t["logits"])).astype(np.float32)
    if what == "saturated":
        t["probs"][0, 0], t["probs"][3, 0] = np.eye(V)[(t["targets"][0, 0] + 1) % V], np.eye(V)[t["targets"][3, 0]]
    t["dense"] = np.eye(V)[np.clip(t["targets"], 0, V - 1)]
    key = "probs" if number == 2 else "logits"
    if what == "nan_in_padding":
        t[key] = np.where(m[..., None], t[key], np.nan).astype(np.float32)
    value, grad, refused = run(recipe(t, m), t[key].astype(np.float64))
    loss = {"preset": preset}
    tensors = {key: t[key], "targets": t["targets"]}
    if number == 2:
        loss.update(input="probs", target="dense")
        tensors["targets"] = t["dense"].astype(np.float32)
    tensors["lengths" if number == 3 else "mask"] = t["lengths"] if number == 3 else m.astype(np.uint8)
    says = f"{about}. TensorFlow: " + (refused if refused else f"value {float(value):.7g}, gradient " +
                                      ("finite" if np.isfinite(grad).all() else "with NaN"))
    name = f"seed_{number}" + ("" if what == "plain" else "_" + what)
    if what == "length_beyond":
        cases.add(name, says, loss, tensors, peer={"value": value, "d_logits": grad},
                  peer_differs="tf.sequence_mask cuts a length at T, the divisor does not", provenance=PEER, expect={"error": "E06"})
        return
    if number == 2:
        ours = clipped(t, m)
    else:
        ours = reference({**t, "logits": np.where(m[..., None], t["logits"], 0)}, m.sum(), m=m)
        ours = {"value": ours["value"] if m.any() else np.float64(np.nan), "d_logits": ours["d_logits"]}
    same = refused is None and np.allclose(value, ours["value"], 1e-9, 1e-12, equal_nan=True) and np.allclose(grad, ours["d_" + key], 1e-9, 1e-12)
    if same:
        cases.add(name, says, loss, tensors, {"value": value, "d_" + key: grad}, nan=not m.any())
        return
    peer = {}
    if refused is None:
        if not np.allclose(value, ours["value"], 1e-9, 1e-12, equal_nan=True):
            peer["value"] = value
        if not np.allclose(grad, ours["d_" + key], 1e-9, 1e-12):
            peer["d_" + key] = grad
    cases.add(name, says, loss, tensors, ours, nan=not m.any(), peer=peer or None,
              peer_differs="see about" if peer else None,
              provenance="float64 arithmetic in scripts/record/tensorflow_loss.py; " + PEER)


def bad_id(t):
    m = np.arange(50)[None, :] < t["lengths"][:, None]
    b, k = np.argwhere(~m)[0]
    t["targets"][b, k] = 57


def no_lengths(t):
    t["lengths"][:] = 0


def too_long(t):
    t["lengths"][4] = 53


for number in RECIPES:
    seed_case(number, "plain", "the recipe as people write it", lambda t: None)
    seed_case(number, "nan_in_padding", "logits or probabilities are NaN where nothing counts", lambda t: None)
    seed_case(number, "bad_id", "an id of 57 among 10 classes, in padding", bad_id)
    seed_case(number, "saturated", "probabilities of exactly 0 and 1" if number == 2 else "logits of 1e4 apart",
              (lambda t: None) if number == 2 else (lambda t: t["logits"].__setitem__((0, 0), np.where(np.arange(10) == t["targets"][0, 0], -1e4, 1e4))))
    seed_case(number, "lengths_0", "every length is 0", no_lengths)
    if number != 3:
        seed_case(number, "empty_mask", "the mask is empty", lambda t: None)
seed_case(3, "length_beyond", "a length of 53 where T is 50", too_long)

# The ops themselves.
for dtype in ("f64", "f32"):
    t = batch(30000, dtype, V=4, lengths=False)
    value, grad, _ = run(lambda z: tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.constant(t["targets"]), logits=z)), t["logits"].astype(np.float64))
    cases.add(f"sparse_op_{dtype}", "tf.nn.sparse_softmax_cross_entropy_with_logits, summed", {"preset": "sum"}, t, {"value": value, "d_logits": grad})
    q = (np.random.default_rng(3).dirichlet(np.ones(4), (3, 4)) * 0.5).astype(t["logits"].dtype)
    value, grad, _ = run(lambda z: tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(labels=tf.constant(q.astype(np.float64)), logits=z)), t["logits"].astype(np.float64))
    Q, p = q.astype(np.float64).sum(-1, keepdims=True), np.exp(log_softmax(t["logits"]))
    cases.add(f"dense_op_half_mass_{dtype}", "targets of mass 1/2: TensorFlow's gradient is p - q, the derivative of its value is Q p - q",
              {"target": "dense", "dense_sum": "allow", "reduce": {"over": "all", "divide": "one"}}, {"logits": t["logits"], "targets": q},
              {"value": value, "d_logits": Q * p - q}, peer={"d_logits": grad}, peer_differs="the gradient is not that of the value",
              provenance="value: " + PEER + "; gradient: float64 arithmetic in the same script")
g = {"logits": np.array([[[1.0, 1, 1, 1], [1, 2, 3, 4]]])}
value, grad, _ = run(lambda z: tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[[3, 0]], logits=z)), g["logits"])
cases.add("g02", "TF1 sparse_xent_op_test", {"preset": "sum"}, {**g, "targets": np.array([[3, 0]])}, {"value": value, "d_logits": grad})
q = np.array([[[0, 0, 0, 1.0], [0, 0.5, 0.5, 0]]])
value, grad, _ = run(lambda z: tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(labels=q, logits=z)), g["logits"])
cases.add("g03", "TF1 xent_op_test", {"target": "dense", "preset": "sum"}, {**g, "targets": q}, {"value": value, "d_logits": grad})
q = np.array([[[-1.0], [0], [1]]])
value, grad, _ = run(lambda z: tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(labels=q, logits=z)), np.array([[[1.0], [-1], [0]]]))
cases.add("g04_negative_gold", "TF1 pins a wrong gradient [2, 1, 0] here; a negative q is an error", {"target": "dense", "preset": "sum"},
          {"logits": np.array([[[1.0], [-1], [0]]]), "targets": q}, peer={"d_logits": grad}, peer_differs="no derivative of anything", provenance=PEER, expect={"error": "E09"})
cases.add("g05_bad_ids", "TF: error on the CPU, NaN on the GPU; here an error that names the place", {"preset": "sum"},
          {"logits": np.zeros((1, 4, 4)), "targets": np.array([[4, 3, 0, -1]])}, provenance=PEER, expect={"error": "E04", "message": "target id 4 at (b=0,t=0)"})
print(len(cases.names), "cases of", PEER)
