// Batches of every kind that the page computes again, with tensors drawn from a seed.
"use strict";

const {createHash} = require("node:crypto");

// Numbers in [0, 1) that follow from the seed.
function generator(seed) {
  let n = 0;
  return () => createHash("sha256").update(`${seed} ${n++}`).digest().readUInt32LE() / 2 ** 32;
}

const WORDS = ["<pad>", "the", "dog", "sees", "a", "</s>", "cat"];

const BATCHES = [
  {name: "plain", loss: {preset: "token_mean"}, lengths: true,
   lesson: {question: "What should it be?", predict: "the loss", answer: "This.", repair: "loss: {preset: sum}"}},
  {name: "weighted", loss: {reduce: {over: "all", divide: {time: "weight", batch: "active_batch"}, divide_eps: 1e-12}, smoothing: {epsilon: 0.1}},
   lengths: true, token_weight: true, example_weight: true, class_weight: "class"},
  {name: "vector", loss: {preset: "tf1.sequence_loss_by_example", mask: {ignore_index: 0}}, poison: true, token_weight: true},
  {name: "scoped", loss: {reduce: {over: "all", divide: "nonzero", on_zero: "error"}, softcap: 3.0, z_loss: 0.01}, mask: true, class_weight: "target"},
  {name: "probabilities", loss: {input: "probs", reduce: {over: "batch", divide: "weight", then: "mean"}}, lengths: true, token_weight: true},
  {name: "losses", loss: {preset: "trl.dr_grpo", reduce: {divide: {const: 24.0, times: "batch"}}}, row_loss: true, lengths: true, token_weight: true},
  {name: "refused", loss: {preset: "sentence_mean"}, lengths: true, nan: [0, 1]},
];

// The tensors of a case, in lists.
function tensors(batch, random) {
  const [B, T, V] = [3, 5, WORDS.length], grid = f => Array.from({length: B}, () => Array.from({length: T}, f));
  const normal = () => 1.5 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const softmax = row => { const e = row.map(Math.exp), sum = e.reduce((a, b) => a + b); return e.map(x => x / sum); };
  const rows = grid(() => Array.from({length: V}, normal)), probs = batch.loss.input === "probs";
  const out = batch.row_loss ? {row_loss: grid(normal)} : {[probs ? "probs" : "logits"]: probs ? rows.map(s => s.map(softmax)) : rows,
               targets: grid(() => 1 + Math.floor(random() * (V - 1)))};
  if (batch.lengths) out.lengths = [T, 3, 1];
  if (batch.mask) out.mask = grid(() => Math.floor(random() * 2));
  if (batch.token_weight) out.token_weight = grid(() => [0, 0.5, 1, 2][Math.floor(random() * 4)]);
  if (batch.example_weight) out.example_weight = [1, 0.25, 3];
  if (batch.class_weight) out.class_weight = [0.5, 1, 2, 0, 1.5, 1, 0.25];
  if (batch.lesson) out["gold.value"] = 12.375;
  if (batch.poison) {  // padding that nothing may look at
    for (const [i, j] of [[1, 4], [2, 2], [2, 3], [2, 4]]) out.targets[i][j] = 0;
    out.logits[2][4][1] = NaN;
    out.logits[2][3] = rows[2][3].map(() => -Infinity);
  }
  if (batch.nan) out.logits[batch.nan[0]][batch.nan[1]][2] = NaN;  // on a live row: refused until somebody masks it
  return out;
}

function yaml(x) {
  if (Array.isArray(x)) return `[${x.map(yaml).join(", ")}]`;
  if (typeof x === "object") return `{${Object.entries(x).map(([k, v]) => `"${k}": ${yaml(v)}`).join(", ")}}`;
  if (typeof x !== "number") return JSON.stringify(x);
  return Number.isNaN(x) ? ".nan" : Number.isFinite(x) ? String(x).replace(/^(-?\d+)e/, "$1.0e") : x > 0 ? ".inf" : "-.inf";
}

function caseText(batch, values) {
  const loss = {...batch.loss, ...(values.class_weight ? {weights: {class: {scope: batch.class_weight}}} : {})};
  const lesson = Object.entries(batch.lesson ?? {}).map(([k, v]) => `${k}: ${yaml(v)}\n`).join("");
  return `name: ${batch.name}\nabout: a batch of the page's test\n${lesson}${batch.row_loss ? "" : `words: ${yaml(WORDS)}\n`}loss: ${yaml(loss)}\ntensors:\n` +
      Object.entries(values).map(([name, x]) => `  ${name}: ${yaml(x)}\n`).join("");
}

// The case that an edit of the page stands for: its mask and weights instead of all sources of masks.
function edited(batch, values, mask, weight) {
  const rows = values.targets ?? values.row_loss, T = rows[0].length, grid = flat => rows.map((_, b) => flat.slice(b * T, (b + 1) * T));
  const {lengths, mask: _, token_weight, ...rest} = values, {mask: __, ...loss} = batch.loss;
  return caseText({...batch, loss}, {...rest, mask: grid(mask.map(Number)), token_weight: grid(weight)});
}

module.exports = {BATCHES, generator, tensors, caseText, edited};
