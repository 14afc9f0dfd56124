// The loss of a batch once more, from the engine's row losses: what an edit of masks and weights changes. Divisors and
// reductions come as data from the engine's own tables; `data` is what `seqgrad explain --json` prints.
"use strict";

const Loss = (() => {
  // Numbers that JSON cannot write come as texts.
  const number = x => typeof x === "string" ? {nan: NaN, inf: Infinity, "-inf": -Infinity}[x] : x;
  const list = x => x === null ? [] : Array.isArray(x) ? x.map(number) : [number(x)];

  // The engine's order-free sum: sorted, then added.
  function sum(terms) {
    if (terms.some(Number.isNaN)) return NaN;
    return [...terms].sort((a, b) => a - b).reduce((s, x) => s + x, 0);
  }

  const reciprocal = (d, eps) => d === 0 ? 0 : 1 / (d + eps);

  // What may be edited: mask and token weight of each cell.
  function start(data) {
    return {mask: data.tokens.map(t => t.mask), weight: data.tokens.map(t => number(t.token_weight))};
  }

  // The cells as one mode sees them: ω, what the class_weight divisor counts, and the row alone.
  function cells(data, edit, mode) {
    const scoped = mode.class_scope === "target";
    return data.tokens.map((token, n) => {
      const alone = mode.alone ? mode.alone[n] : token.alone, c = number(token.class_sum);
      const w = edit.mask[n] ? edit.weight[n] * number(token.example_weight) : 0;
      return {b: token.b, t: token.t, active: edit.mask[n], weight: w === 0 ? 0 : scoped ? w * c : w,
              class_weight: w === 0 ? 0 : w * c, token, alone};
    });
  }

  // Why the engine refuses the batch after an edit; "" where it does not.
  function refusal(all, edit, data, mode) {
    if (mode.alone && all.length && all.every(c => !c.alone)) return `no row can count: ${data.tokens[0].refused}`;
    for (const [n, cell] of all.entries()) {
      const at = `(b=${cell.b},t=${cell.t})`, w = edit.weight[n];
      if (cell.active && !(Number.isFinite(w) && (w >= 0 || data.batch.negative_weights)))
        return `token_weight${at} = ${w}`;
      if (cell.weight !== 0 && !cell.alone) return `the row ${at} cannot count: ${cell.token.refused}`;
    }
    return "";
  }

  function count(cells, batch, steps, positions) {
    const active = cells.filter(c => c.active);
    return {nothing: 0, one: 1, positions, steps, batch, active: active.length,
            nonzero: active.filter(c => c.weight !== 0).length, active_batch: new Set(active.map(c => c.b)).size,
            weight: sum(active.map(c => c.weight)), class_weight: sum(active.map(c => c.class_weight))};
  }

  function divisor(data, name, counts) {
    const row = data.divisors.find(d => d.name === name);
    return row.minus === "nothing" ? counts[row.plus] : Math.max(0, counts[row.plus] - counts[row.minus]);
  }

  // The entry of the result that a cell belongs to, and the cells that the entry counts.
  const entry = (over, cell, steps) => ({all: 0, time: cell.b, batch: cell.t, none: cell.b * steps + cell.t})[over];
  function groups(all, over, batch, steps) {
    const sizes = {all: [1, batch * steps], time: [batch, steps], batch: [steps, batch], none: [batch * steps, 1]};
    const [entries, positions] = sizes[over], parts = Array.from({length: entries}, () => []);
    for (const cell of all) parts[entry(over, cell, steps)].push(cell);
    return parts.map(part => count(part, batch, steps, positions));
  }

  // What a divisor of 0 gives; an epsilon of a nested form is its inner divisors'.
  function emptyValue(mode) {
    const nested = typeof mode.divide === "object" && "time" in mode.divide;
    return mode.on_zero === "nan" && (nested || number(mode.divide_eps) === 0) ? NaN : 0;
  }

  // One mode of the edited batch: value, numerator and divisor of each entry; for each cell its coefficient s·ω and its
  // loss ω·ℓ; |gradient|. `refused` says why there are none.
  function compute(data, edit, mode) {
    const {B, T} = data.batch, all = cells(data, edit, mode);
    const why = refusal(all, edit, data, mode);
    if (why) return {refused: why};
    const eps = number(mode.divide_eps), nested = typeof mode.divide === "object" && "time" in mode.divide;
    const by = (name, counts) => name === "const" ? number(mode.divide.const) : divisor(data, name, counts);
    const flat = counts => by(typeof mode.divide === "string" ? mode.divide : "const", counts);
    const whole = count(all, B, T, B * T), parts = mode.over === "all" ? [whole] : groups(all, mode.over, B, T);
    const sentences = nested ? groups(all, "time", B, T) : [];
    const inner = b => reciprocal(by(mode.divide.time, sentences[b]), eps);
    const divisors = nested ? [by(mode.divide.batch, whole)] : parts.map(flat);
    if (mode.on_zero === "error" && divisors.some(d => d === 0))
      return {refused: whole.active === 0 ? "no active target in this batch" : "a divisor is 0"};
    const scales = divisors.map(d => reciprocal(d, nested ? 0 : eps));
    const outer = mode.then === "mean" ? reciprocal(divisors.length, 0) : 1;
    const empty = emptyValue(mode);

    const term = cell => cell.weight === 0 ? [] : [cell.weight * number(cell.alone.loss)];
    const numerators = nested
        ? [sum(sentences.map((_, b) => sum(all.filter(c => c.b === b).flatMap(term)) * inner(b)))]
        : parts.map((_, i) => sum(all.filter(c => entry(mode.over, c, T) === i).flatMap(term)));
    let values = numerators.map((n, i) => scales[i] === 0 ? empty : n * scales[i]);
    if (mode.over !== "all" && mode.then) values = [sum(values) * outer];

    const upstream = mode.own && data.batch.upstream ? list(data.batch.upstream) : [];
    const coefficients = all.map(cell => {
      const i = entry(mode.over, cell, T);
      const s = scales[i] * outer * (nested ? inner(cell.b) : 1) * cell.weight;
      return s * (upstream.length === 0 ? 1 : upstream[values.length === 1 ? 0 : i]);
    });
    const norms = all.map((cell, n) => cell.weight === 0 ? 0 : Math.abs(coefficients[n]) * number(cell.alone.logit_norm));
    return {refused: "", values, numerators, divisors, printed: printed(data, mode, numerators, values, whole),
            live: all.map(c => c.weight !== 0), weights: all.map(c => c.weight), weighted: all.map(c => term(c)[0] ?? 0), coefficients, norms,
            gradient_norm: Math.hypot(...norms), whole};
  }

  // What the peer prints where that is another number than it differentiates.
  function printed(data, mode, numerators, values, whole) {
    if (mode.over !== "all" && !mode.then) return 0;
    if (!mode.report) return values[0];
    const d = divisor(data, mode.report.divide, whole);
    const x = d === 0 ? emptyValue(mode) : numerators[0] * reciprocal(d, 0);
    return mode.report.exponential ? Math.exp(x) : x;
  }

  // The gradient of a cell at the classes that are shown; none for a cell that does not count.
  function gradient(data, result, n) {
    if (!result.live || !result.live[n]) return data.shown.map(() => 0);
    return list(data.tokens[n].alone.gradient).map(g => g * result.coefficients[n]);
  }

  const apart = (a, b) => Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b)) ? 0
      : Number.isFinite(a) && Number.isFinite(b) ? Math.abs(a - b) / Math.max(1, Math.abs(b)) : a === b ? 0 : Infinity;

  // All that is computed here beside what the engine says of the same batch: how many numbers, the largest difference,
  // and where it is.
  function check(data) {
    const edit = start(data), found = {numbers: 0, worst: 0, where: ""};
    const note = (mine, theirs, where) => {
      const a = mine ?? [], b = list(theirs);
      found.numbers += b.length;
      const off = a.length === b.length ? Math.max(0, ...a.map((x, i) => apart(x, b[i]))) : Infinity;
      if (off > found.worst || !(off <= found.worst)) Object.assign(found, {worst: off, where});
    };
    for (const mode of data.modes) {
      const mine = compute(data, edit, mode);
      if (Boolean(mine.refused) !== Boolean(mode.refused)) Object.assign(found, {worst: Infinity, where: mode.name});
      if (mine.refused || mode.refused) continue;
      note(mine.values, mode.value, mode.name);
      note(mine.numerators, mode.numerator, `${mode.name}: numerator`);
      note(mine.divisors, mode.divisor, `${mode.name}: divisor`);
      note([mine.gradient_norm], mode.gradient_norm, `${mode.name}: gradient norm`);
      note([mine.printed], mode.printed, `${mode.name}: what it prints`);
      if (!mode.own) continue;
      for (const d of data.divisors) note([divisor(data, d.name, mine.whole)], d.value, `divisor ${d.name}`);
      data.tokens.forEach((token, n) => {
        note([mine.weighted[n]], token.weighted, `cell ${n}`);
        note(gradient(data, mine, n), token.gradient, `gradient of cell ${n}`);
      });
    }
    return found;
  }

  return {number, list, start, compute, divisor, gradient, check};
})();
