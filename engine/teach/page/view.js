// What the page shows of the batch: the grid that is edited, the modes beside each other, the gradient, the divisors.
"use strict";

// An element with attributes and children; texts stay texts.
function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

const digits = (x, n = 6) => Number.isNaN(x) ? "NaN" : !Number.isFinite(x) ? (x > 0 ? "inf" : "−inf")
    : String(Number(x.toPrecision(n))).replace("-", "−");
const some = (values, n = 6) => values.length === 1 ? digits(values[0], n)
    : `[${values.slice(0, 12).map(x => digits(x, 4)).join(", ")}${values.length > 12 ? ", …" : ""}]`;
const exact = values => JSON.stringify(values.map(String));  // for whoever checks the page
const word = (data, v) => data.batch.words[v] ?? `#${v}`;
const why = (data, edit, n) => edit.mask[n] ? "weight 0" : data.tokens[n].mask ? "mask" : data.tokens[n].why || "mask";

// The grid of mask buttons and weights. `changed` is called after every edit.
function batchGrid(root, data, edit, changed) {
  const {B, T} = data.batch, cells = [];
  const say = root.querySelector(".problem");
  const head = el("tr", {}, el("th", {scope: "col"}, "sentence"));
  for (let t = 0; t < T; ++t) head.append(el("th", {scope: "col"}, `t=${t}`));
  const body = el("tbody");
  for (let b = 0; b < B; ++b) {
    const weight = data.batch.example_weight ? el("span", {class: "soft"}, ` × ${digits(Loss.number(data.batch.example_weight[b]))}`) : "";
    const row = el("tr", {}, el("th", {scope: "row"}, data.batch.sources[b] ?? `b=${b}`, weight));
    for (let t = 0; t < T; ++t) row.append(cell(b * T + t));
    body.append(row);
  }
  root.querySelector(".frame").replaceChildren(el("table", {class: T > 8 ? "batch wide" : "batch"}, el("thead", {}, head), body));

  function cell(n) {
    const token = data.tokens[n], place = `sentence ${token.b}, step ${token.t}, ${token.text}`;
    const button = el("button", {type: "button", "data-cell": n, "aria-label": `mask of ${place}`, tabindex: n ? -1 : 0}, token.text);
    const input = el("input", {type: "text", inputmode: "decimal", "data-cell": n, "aria-label": `weight of ${place}`,
                               tabindex: n ? -1 : 0, size: 4, autocomplete: "off"});
    const loss = el("span", {class: "loss"}), share = el("span", {class: "share"});
    button.addEventListener("click", () => { edit.mask[n] = !edit.mask[n]; changed(); });
    input.addEventListener("change", () => weigh(n, input));
    for (const part of [button, input]) {
      part.addEventListener("keydown", event => move(event, n, part));
      part.addEventListener("focus", () => stop(n));
    }
    cells.push({button, input, loss, share});
    return el("td", {}, button, el("label", {}, "× ", input), loss, share);
  }

  function weigh(n, input) {
    const text = input.value.trim().replace("−", "-"), w = Number(text);
    const good = text !== "" && Number.isFinite(w) && (w >= 0 || data.batch.negative_weights);
    input.setAttribute("aria-invalid", String(!good));
    say.textContent = good ? "" : `A weight is a finite number of at least 0, not "${text}"; ${digits(edit.weight[n])} stays.`;
    if (!good) return;
    edit.weight[n] = w;
    changed();
  }

  // Arrows go to the next cell; in a weight, left and right stay in its text.
  function move(event, n, part) {
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -T, ArrowDown: T}[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    if (part.tagName === "INPUT" && Math.abs(step) === 1 && T > 1) return;
    const m = n + step;
    if (m < 0 || m >= B * T || (Math.abs(step) === 1 && T > 1 && Math.floor(m / T) !== Math.floor(n / T))) return;
    event.preventDefault();
    cells[m][part.tagName === "INPUT" ? "input" : "button"].focus();
  }

  // The grid is one stop of the tabulator for its buttons and one for its weights.
  function stop(n) {
    cells.forEach(({button, input}, i) => { button.tabIndex = input.tabIndex = i === n ? 0 : -1; });
  }

  return result => cells.forEach(({button, input, loss, share}, n) => {
    const live = !result.refused && result.live[n], on = edit.mask[n], td = button.parentElement;
    button.setAttribute("aria-pressed", String(on));
    td.className = live ? "live" : "dead";
    if (document.activeElement !== input || input.getAttribute("aria-invalid") !== "true") {
      input.value = String(edit.weight[n]);
      input.setAttribute("aria-invalid", "false");
    }
    const alone = data.tokens[n].alone;
    loss.textContent = live ? `ℓ ${digits(Loss.number(alone.loss), 4)}` : why(data, edit, n);
    const part = live ? result.coefficients[n] * Loss.number(alone.loss) : 0, all = result.total;
    share.textContent = live && all ? `${digits(100 * part / all, 3)} %` : "\u00a0";
    share.style.setProperty("--share", `${live && all ? Math.max(0, Math.min(100, 100 * part / all)) : 0}%`);
  });
}

// A table in a section's frame: the first cell of a row is its header.
function fill(frame, heads, rows) {
  const line = (cells, scope) => el("tr", {}, ...cells.map((text, i) => el(i && scope === "row" ? "td" : "th", i && scope === "row" ? {} : {scope}, text)));
  frame.replaceChildren(el("table", {}, el("thead", {}, line(heads, "col")), el("tbody", {}, ...rows.map(r => line(r, "row")))));
}

// What the grid shows, and the rest of each token, as a table.
function tokenTable(root, data, edit) {
  const heads = ["sentence, step", "token", "p(target)", "ℓ", "ω", "ω·ℓ", "share", "|gradient|"];
  return r => fill(root.querySelector(".tokens"), heads, data.tokens.map((token, n) => {
    const cell = [`${token.b}, ${token.t}`, token.text];
    if (r.refused || !r.live[n]) return [...cell, "–", "–", "0", "0", "–", r.refused ? "–" : `0 (${why(data, edit, n)})`];
    const loss = Loss.number(token.alone.loss), part = r.coefficients[n] * loss;
    const p = token.alone.p === null ? "–" : digits(Loss.number(token.alone.p));  // none of a loss that was given
    return [...cell, p, digits(loss), digits(r.weights[n]), digits(r.weighted[n]),
            r.total ? `${digits(100 * part / r.total, 3)} %` : "–", digits(r.norms[n])];
  }));
}

// Modes that reduce alike stand in one row.
function modeTable(root, data, chosen, pick) {
  const kinds = new Map();
  data.modes.forEach((mode, i) => {
    const key = JSON.stringify([mode.over, mode.divide, mode.divide_eps, mode.on_zero, mode.then, mode.report,
                                mode.class_scope, mode.alone ? mode.name : "", Boolean(mode.own && data.batch.upstream)]);
    if (!kinds.has(key)) kinds.set(key, []);
    kinds.get(key).push(i);
  });
  const rows = [...kinds.values()].map(list => {
    const first = data.modes[list[0]], names = list.map(i => data.modes[i].name);
    const radio = el("input", {type: "radio", name: "mode", value: list[0], id: `mode${list[0]}`});
    radio.checked = list.includes(chosen());
    radio.addEventListener("change", () => pick(list[0]));
    const shown = ["value", "sum", "gradient", "before"].map(c => el("td", {class: c}));
    const others = names.length < 2 ? [] : [el("span", {class: "soft"}, ` = ${names.slice(1).join(" = ")}`)];
    const tr = el("tr", {"data-mode": list.join(" ")},
                  el("th", {scope: "row"}, radio, el("label", {for: `mode${list[0]}`}, names[0], ...others)),
                  shown[0], shown[1], el("td", {}, first.words), shown[2], shown[3]);
    return {list, tr, shown, mode: first};
  });
  const heads = ["mode", "value", "numerator / divisor", "divides by", "|gradient|", "before your edits"];
  root.querySelector(".frame").replaceChildren(el("table", {class: "modes"},
      el("thead", {}, el("tr", {}, ...heads.map(h => el("th", {scope: "col"}, h)))), el("tbody", {}, ...rows.map(r => r.tr))));

  return (results, first) => {
    const scalars = rows.map(r => results[r.list[0]].values).filter(v => v && v.length === 1).map(v => Math.abs(v[0]));
    const most = Math.max(0, ...scalars.filter(Number.isFinite));
    for (const {list, tr, shown, mode} of rows) {
      const r = results[list[0]], [value, quotient, gradient, before] = shown;
      tr.classList.toggle("chosen", list.includes(chosen()));
      for (const td of shown) td.textContent = "";
      before.textContent = first[list[0]].refused ? "refused" : some(first[list[0]].values);
      tr.dataset.result = JSON.stringify({refused: r.refused});
      if (r.refused) { value.textContent = `refused: ${r.refused}`; continue; }
      tr.dataset.result = JSON.stringify({refused: "", values: exact(r.values), numerators: exact(r.numerators),
                                          divisors: exact(r.divisors), gradient_norm: String(r.gradient_norm)});
      value.append(el("span", {class: "number"}, some(r.values)));
      if (r.values.length === 1) {
        const bar = el("span", {class: "bar", "aria-hidden": "true"});
        bar.style.setProperty("--share", most ? `${100 * Math.abs(r.values[0]) / most}%` : "0%");
        value.append(bar);
      }
      if (mode.report) value.append(el("span", {class: "soft"}, `prints ${digits(r.printed)}`));
      quotient.textContent = fraction(mode, r);
      gradient.textContent = digits(r.gradient_norm, 4);
    }
  };
}

// Numerator over divisor; the epsilon of a nested mode has gone into the inner division already.
function fraction(mode, r) {
  const eps = mode.divide_eps && !mode.divide.time ? mode.divide_eps : 0;
  const quotient = `${some(r.numerators)} / ${eps ? `(${some(r.divisors)} + ${eps})` : some(r.divisors)}`;
  return mode.over !== "all" && mode.then ? `${mode.then} of ${quotient}` : quotient;
}

// The line that adds it up, of the chosen mode.
function sumLine(mode, r) {
  if (r.refused) return `The engine refuses this batch: ${r.refused}`;
  const nothing = r.divisors.length === 1 && r.divisors[0] === 0 ? " (the divisor is 0: nothing counts)" : "";
  return `${mode.name}: loss = ${fraction(mode, r)} = ${some(r.values)}${nothing}`;
}

// Rows of tokens, columns of words; a cell's colour tells size and side, its sign and digits tell them too.
function heatMap(root, data, edit) {
  return result => {
    const rows = data.tokens.map((token, n) => Loss.gradient(data, result, n));
    const most = Math.max(0, ...rows.flat().map(Math.abs).filter(Number.isFinite));
    const power = most ? Math.floor(Math.log10(most)) - 1 : 0;  // the largest gets two digits before the point
    const unit = power ? el("span", {class: "soft"}, " (numbers in 10", el("sup", {}, String(power).replace("-", "−")), ")") : "";
    const head = el("tr", {}, el("th", {scope: "col"}, "token", unit), ...data.shown.map(v => el("th", {scope: "col"}, word(data, v))));
    const body = el("tbody");
    rows.forEach((row, n) => {
      const token = data.tokens[n], live = result.live && result.live[n];
      const name = el("th", {scope: "row"}, `${token.b},${token.t} ${token.text}`);
      const tr = el("tr", {class: live ? "live" : "dead", "data-gradient": exact(row)}, name);
      if (!live) {
        name.append(el("span", {class: "soft"}, ` (${why(data, edit, n)})`));
        tr.append(...row.map(() => el("td", {"aria-label": "exactly 0"})));
      } else {
        row.forEach((g, k) => {
          const td = el("td", {class: `${g < 0 ? "down" : "up"}${data.shown[k] === token.id ? " target" : ""}`, title: String(g)},
                        (g > 0 ? "+" : "") + digits(g / 10 ** power, 2));
          td.style.setProperty("--size", most ? `${Math.round(100 * Math.abs(g) / most)}%` : "0%");
          if (most && Math.abs(g) > 0.55 * most) td.classList.add("strong");
          tr.append(td);
        });
      }
      body.append(tr);
    });
    root.querySelector(".frame").replaceChildren(el("table", {class: "heat"}, el("thead", {}, head), body));
  };
}

function divisorTable(root, data) {
  return whole => {
    const rows = data.divisors.map(d => [d.name, d.formula, d.words, whole ? digits(Loss.divisor(data, d.name, whole)) : "–",
                                         d.value === null ? "–" : digits(Loss.number(d.value))]);
    fill(root.querySelector(".frame"), ["divisor", "formula", "counts", "now", "before your edits"], rows);
  };
}

// Of each framework the line that makes the row losses, and the one that makes the chosen mode of them.
function codeLines(root, data, mode) {
  const lines = Object.entries(mode.lines).filter(([, line]) => line);
  const rows = framework => mode.own_row_loss || !data.rows[framework] ? [] : [`${framework === "d2l" ? "l" : "nll"} = ${data.rows[framework]}`, el("br")];
  const list = el("dl", {}, ...lines.flatMap(([framework, line]) => [el("dt", {}, framework), el("dd", {}, el("code", {}, ...rows(framework), line))]));
  root.replaceChildren(el("h3", {}, `${mode.name}: ${mode.formula || mode.words}`), mode.who ? el("p", {class: "soft"}, mode.who) : "",
                       lines.length ? list : "");
}
