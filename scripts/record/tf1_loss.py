#!/usr/bin/env python3
"""Records loss cases from TensorFlow 1's sequence losses, TensorFlow Addons' and tf.compat.v1.losses.

  python3.11 -m venv VENV && VENV/bin/pip install tensorflow-cpu==2.14.1 tensorflow-addons==0.22.0 'numpy<2' safetensors
  VENV/bin/python scripts/record/tf1_loss.py tests/cases LEGACY_SEQ2SEQ.py CONTRIB_LOSS.py

The two files are contrib/legacy_seq2seq/python/ops/seq2seq.py and contrib/seq2seq/python/ops/loss.py of a TensorFlow
1.x release (its wheel holds them). Their functions are taken out by name and called eagerly; TensorFlow 2 still has
every op that they use. Nothing of them is kept here.
"""
import ast, itertools, os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
import numpy as np, tensorflow as tf, tensorflow_addons as tfa
from tensorflow.python.framework import ops
from tensorflow.python.ops import array_ops, control_flow_ops, math_ops, nn_ops
from cases import Cases, active, batch, log_softmax, poison

SCRIPT = "recorded with scripts/record/tf1_loss.py"


def functions(path, names):
    """The named functions of a source file, with TensorFlow's internal modules as their globals."""
    tree = ast.parse(open(path, encoding="utf-8").read())
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in names]
    scope = {"ops": ops, "array_ops": array_ops, "math_ops": math_ops, "nn_ops": nn_ops, "control_flow_ops": control_flow_ops}
    exec(compile(tree, path, "exec"), scope)
    return [scope[n] for n in names]


by_example, legacy_loss = functions(sys.argv[2], ["sequence_loss_by_example", "sequence_loss"])
(contrib_loss,) = functions(sys.argv[3], ["sequence_loss"])


def run(f, z, upstream=None):
    z = tf.constant(z.astype(np.float64))
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = f(z)
        total = tf.reduce_sum(value if upstream is None else value * tf.constant(upstream))
    return {"value": value.numpy(), "d_logits": tape.gradient(total, z).numpy()}


def inputs(seed, dtype, **sizes):
    """Weights that are neither 0 nor 1, a 0 among them, and 0 where a length has ended; every step keeps a weight."""
    t = batch(seed, dtype, **sizes)
    m = active(t)
    w = np.random.default_rng(seed).uniform(0.25, 2, m.shape).astype(np.float32)
    w[0, 1] = 0
    return t, m, np.where(m, w, 0).astype(np.float32)


def tensors(t, m, w, **more):
    out = poison(t, m)
    out["token_weight"] = np.where(m, w, np.nan).astype(t["logits"].dtype)
    out.update(more)
    return out


def steps(f, t, w, **flags):
    """TensorFlow 1's lists: one [B,V] array a step."""
    T = w.shape[1]
    y = np.where(w != 0, t["targets"], 0)
    return lambda z: f([z[:, i] for i in range(T)], [tf.constant(y[:, i]) for i in range(T)],
                       [tf.constant(w[:, i].astype(np.float64)) for i in range(T)], **flags)


legacy = Cases(sys.argv[1], f"TensorFlow1 1.15 contrib.legacy_seq2seq, run on TensorFlow {tf.__version__}, {SCRIPT}")
seed = 40000
for dtype, average, layout in itertools.product(("f64", "f32"), (True, False), ("batch", "time", "list")):
    seed += 1
    t, m, w = inputs(seed, dtype)
    up = np.random.default_rng(seed).standard_normal(3).astype(np.float32).astype(np.float64)
    gold = run(steps(by_example, t, w, average_across_timesteps=average), t["logits"], up)
    section = {"preset": "tf1.sequence_loss_by_example"}
    if not average:
        section["flags"] = {"average_across_timesteps": False}
    x = tensors(t, m, w, upstream=up.astype(t["logits"].dtype))
    if layout != "batch":
        section["layout"] = layout
        for name in [k for k in ("logits", "targets", "token_weight") if x.get(k) is not None]:
            x[name] = np.swapaxes(x[name], 0, 1)
        gold["d_logits"] = np.swapaxes(gold["d_logits"], 0, 1)
    if layout == "list":
        for name in ("logits", "targets", "token_weight"):
            for i, part in enumerate(x.pop(name)):
                x[f"{name}.{i}"] = part
        for i, part in enumerate(gold.pop("d_logits")):
            gold[f"d_logits.{i}"] = part
    legacy.add(f"by_example_{'mean' if average else 'sum'}_{layout}_{dtype}", "one number an example; the mean divides by the sum of its weights",
               section, x, gold)
for dtype, over_time, over_batch in itertools.product(("f64", "f32"), (True, False), (True, False)):
    seed += 1
    t, m, w = inputs(seed, dtype)
    flags = {"average_across_timesteps": over_time, "average_across_batch": over_batch}
    legacy.add(f"sequence_loss_{'T' if over_time else 'F'}{'T' if over_batch else 'F'}_{dtype}", "the scalar of legacy_seq2seq",
               {"preset": "tf1.legacy_sequence_loss", "flags": flags}, tensors(t, m, w), run(steps(legacy_loss, t, w, **flags), t["logits"]))
for dtype, over_time, over_batch in itertools.product(("f64", "f32"), (True, False), (True, False)):
    seed += 1
    t, m, w = inputs(seed, dtype)
    flags = {"average_across_timesteps": over_time, "average_across_batch": over_batch}
    y = np.where(w != 0, t["targets"], 0)
    gold = run(lambda z: contrib_loss(z, tf.constant(y), tf.constant(w.astype(np.float64)), **flags), t["logits"])
    section = {"preset": "tf1.contrib_sequence_loss", "flags": flags}
    legacy.add(f"contrib_{'T' if over_time else 'F'}{'T' if over_batch else 'F'}_{dtype}", "contrib.seq2seq.sequence_loss", section,
               tensors(t, m, w), gold, tolerance={"rtol": 1e-6, "atol": 1e-9, "basis": "1e-12 in some releases' divisors"})
# Weights of nothing but 0: the functions that add 1e-12 give 0.
t = batch(41000, "f64", lengths=False)
zero = np.zeros((3, 4), np.float32)
legacy.add("by_example_no_weight", "all weights 0: 0 / 1e-12", {"preset": "tf1.sequence_loss_by_example"}, {**t, "token_weight": zero.astype(np.float64)},
           run(steps(by_example, t, zero), t["logits"]))
legacy.add("sequence_loss_no_weight", "all weights 0: 0 / 1e-12", {"preset": "tf1.legacy_sequence_loss"}, {**t, "token_weight": zero.astype(np.float64)},
           run(steps(legacy_loss, t, zero), t["logits"]))
# Values of their own tests: constant logits i + 0.5, targets i, T = 3.
const = {"logits": np.stack([np.full((2, 5), i + 0.5) for i in range(3)], 1), "targets": np.tile(np.arange(3), (2, 1)), "lengths": None}
ones = np.ones((2, 3), np.float32)
for flags in itertools.product((True, False), repeat=2):
    names = dict(zip(("average_across_timesteps", "average_across_batch"), flags))
    legacy.add("g06_" + "".join("T" if f else "F" for f in flags), "legacy seq2seq_test: uniform logits, a weak case", {"preset": "tf1.legacy_sequence_loss", "flags": names},
               {**const, "token_weight": ones.astype(np.float64)}, run(steps(legacy_loss, const, ones, **names), const["logits"]))

addons = Cases(sys.argv[1], f"TFA {tfa.__version__} seq2seq.sequence_loss on TensorFlow {tf.__version__}, {SCRIPT}")
FLAGS = ("average_across_timesteps", "average_across_batch", "sum_over_timesteps", "sum_over_batch")
for dtype, bits in itertools.product(("f64", "f32"), itertools.product((False, True), repeat=4)):
    seed += 1
    t, m, w = inputs(seed, dtype)
    flags = dict(zip(FLAGS, bits))
    y = np.where(w != 0, t["targets"], 0)
    f = lambda z: tfa.seq2seq.sequence_loss(z, tf.constant(y), tf.constant(w.astype(np.float64)), **flags)
    short = "".join("T" if b else "F" for b in bits)
    try:
        gold = run(f, t["logits"])
    except ValueError as e:
        if dtype == "f64":
            addons.add(f"refused_{short}", f"TF Addons: {str(e)[:60]}", {"preset": "tfa.sequence_loss", "flags": flags}, tensors(t, m, w),
                       provenance=addons.peer, expect={"error": "E15"})
        continue
    # What the function does not reduce it returns unweighted by a mask: padded cells are 0 through their weight.
    addons.add(f"flags_{short}_{dtype}", "average and sum over time and batch", {"preset": "tfa.sequence_loss", "flags": flags}, tensors(t, m, w), gold)
for bits in ((True, True, False, False), (False, False, True, True), (True, False, False, False), (False, True, False, False)):
    flags = dict(zip(FLAGS, bits))
    t = batch(42000, "f64", lengths=False)
    gold = run(lambda z: tfa.seq2seq.sequence_loss(z, tf.constant(t["targets"]), tf.constant(np.zeros((3, 4))), **flags), t["logits"])
    addons.add("no_weight_" + "".join("T" if b else "F" for b in bits), "all weights 0: zeros of the right shape", {"preset": "tfa.sequence_loss", "flags": flags},
               {**t, "token_weight": np.zeros((3, 4))}, gold)

losses = Cases(sys.argv[1], f"TF1losses tf.compat.v1.losses.sparse_softmax_cross_entropy of TensorFlow {tf.__version__}, {SCRIPT}")
R = tf.compat.v1.losses.Reduction
for dtype, (preset, reduction) in itertools.product(("f64", "f32"), {"sum_by_nonzero_weights": R.SUM_BY_NONZERO_WEIGHTS, "mean": R.MEAN,
                                                                     "sum_over_batch_size": R.SUM_OVER_BATCH_SIZE, "sum": R.SUM}.items()):
    seed += 1
    t, m, w = inputs(seed, dtype, lengths=False)
    # These functions sum in the dtype of their losses; the loss itself stays in float64.
    f = lambda z: tf.compat.v1.losses.sparse_softmax_cross_entropy(tf.constant(t["targets"]), z, tf.constant(w.astype(np.float64)), reduction=reduction)
    gold = run(f, t["logits"])
    losses.add(f"{preset}_{dtype}", "tf.losses with weights [B,T]", {"preset": "tf1.losses." + preset}, tensors(t, m, w), gold,
               tolerance={"rtol": 1e-6, "atol": 1e-7, "basis": "tf.losses reduces in float32"})
g11 = {"logits": 10 * np.eye(3)[None], "targets": np.array([[2, 0, 1]]), "lengths": None}
for name, weights in (("g11", [1.2, 0, 0]), ("g12", [1.2, 3.4, 5.6]), ("g12_zero", [0, 0, 0])):
    w = np.array([weights], np.float64)
    gold = run(lambda z: tf.compat.v1.losses.sparse_softmax_cross_entropy(tf.constant(g11["targets"]), z, tf.constant(w)), g11["logits"])
    losses.add(name, "losses_test: weights 1.2, 0, 0 give 12, not 10 and not 4", {"preset": "tf1.losses.sum_by_nonzero_weights"}, {**g11, "token_weight": w}, gold,
               tolerance={"rtol": 1e-6, "atol": 1e-7, "basis": "tf.losses reduces in float32"})
for c in (legacy, addons, losses):
    print(len(c.names), "cases of", c.peer)
