// The page of `seqgrad explain`, its script run in Node: random edits of masks and weights, and guesses, must get what the
// engine says of the same batches.
//   node edits.js SEQGRAD FOLDER SEED LESSONS
"use strict";

const {spawnSync} = require("node:child_process"), fs = require("node:fs"), path = require("node:path"), vm = require("node:vm");
const {parse} = require("./dom.js"), {BATCHES, generator, tensors, caseText, edited} = require("./batches.js");

const [seqgrad, folder, seed, lessons] = process.argv.slice(2);
const EDITS = 204, LIMIT = 1e-12;  // of 1, or of the number where it is larger
const problems = [];
const complain = text => { if (problems.length < 20) problems.push(text); };

function run(...args) {
  const done = spawnSync(seqgrad, args, {encoding: "utf8", maxBuffer: 1 << 28});
  if (done.status === null || done.status > 1) throw new Error(`${args.join(" ")}: ${done.stderr}`);
  return done;
}
const engine = file => JSON.parse(run("explain", file, "--json").stdout);

// The page as a browser has it after it is loaded.
function open(file) {
  const html = path.join(folder, "page.html");
  run("explain", file, "--html", html);
  const document = parse(fs.readFileSync(html, "utf8"));
  const script = document.querySelectorAll("script").find(s => s.getAttribute("nonce"));
  const context = vm.createContext({document, console});
  vm.runInContext(script.textContent, context, {filename: "page.js"});
  return {document, data: JSON.parse(document.getElementById("data").textContent)};
}

const number = x => typeof x === "string" ? {nan: NaN, inf: Infinity, "-inf": -Infinity}[x] : x;
const list = x => x === null ? [] : (Array.isArray(x) ? x : [x]).map(number);
const exact = text => JSON.parse(text).map(Number);
function apart(mine, theirs) {
  if (mine.length !== theirs.length) return Infinity;
  return Math.max(0, ...mine.map((a, i) => {
    const b = theirs[i];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
    return Number.isFinite(a) && Number.isFinite(b) ? Math.abs(a - b) / Math.max(1, Math.abs(b)) : Infinity;
  }));
}

const count = {numbers: 0, worst: 0, refused: 0, edits: 0, guesses: 0, few: 0};
function same(mine, theirs, where) {
  const off = apart(mine, theirs);
  count.numbers += theirs.length;
  count.worst = Math.max(count.worst, off);
  if (!(off <= LIMIT)) complain(`${where}: [${mine}] on the page, [${theirs}] by the engine`);
}

// Every number that the page shows beside the engine's.
function compare(page, truth, where) {
  const shown = new Map();
  for (const row of page.document.querySelectorAll("table.modes tr"))
    for (const i of (row.dataset.mode ?? "").split(" ").filter(Boolean)) shown.set(Number(i), JSON.parse(row.dataset.result));
  if (shown.size !== truth.modes.length) complain(`${where}: ${shown.size} of ${truth.modes.length} modes`);
  truth.modes.forEach((mode, i) => {
    const mine = shown.get(i);
    if (!mine || Boolean(mine.refused) !== Boolean(mode.refused))
      return complain(`${where}: ${mode.name}: page '${mine?.refused}', engine '${mode.refused}'`);
    if (mode.refused) return;
    same(exact(mine.values), list(mode.value), `${where}: ${mode.name}`);
    same(exact(mine.numerators), list(mode.numerator), `${where}: numerator of ${mode.name}`);
    same(exact(mine.divisors), list(mode.divisor), `${where}: divisor of ${mode.name}`);
    same([Number(mine.gradient_norm)], [number(mode.gradient_norm)], `${where}: gradient of ${mode.name}`);
  });
  if (truth.error) { ++count.refused; return; }
  if (String(truth.shown) !== String(page.data.shown)) return;  // the heat map shows the classes of the first batch
  const rows = page.document.querySelectorAll("table.heat tr").filter(row => row.dataset.gradient);
  truth.tokens.forEach((token, n) => same(exact(rows[n].dataset.gradient), list(token.gradient), `${where}: gradient of cell ${n}`));
}

function edit(batch, edits) {
  const random = generator(`${seed} ${batch.name}`), values = tensors(batch, random);
  const file = path.join(folder, `${batch.name}.yaml`), now = path.join(folder, "edited.yaml");
  fs.writeFileSync(file, caseText(batch, values));
  const first = engine(file), page = open(file), cells = page.document.querySelectorAll("table.batch td");
  const badge = page.document.getElementById("badge");
  if (badge.className !== "good") complain(`${batch.name}: ${badge.textContent}`);
  compare(page, first, batch.name);
  const start = () => ({mask: first.tokens.map(t => t.mask), weight: first.tokens.map(t => number(t.token_weight))});
  let state = start();
  for (let i = 0; i < edits && !problems.length; ++i, ++count.edits) {
    const n = Math.floor(random() * cells.length), kind = random();
    if (kind < 0.45) {
      state.mask[n] = !state.mask[n];
      cells[n].querySelector("button").click();
    } else if (kind < 0.9) {
      state.weight[n] = [0, 0.5, 1, 2, random(), random() * 1e-3][Math.floor(random() * 6)];
      const input = cells[n].querySelector("input");
      input.value = String(state.weight[n]);
      input.dispatch("change");
    } else {
      const button = ["mask", "unmask", "ones", "reset"][Math.floor(random() * 4)];
      page.document.getElementById(button).click();
      if (button === "reset") state = start();
      if (button === "ones") state.weight.fill(1);
      if (button === "mask" || button === "unmask") state.mask.fill(button === "unmask");
    }
    fs.writeFileSync(now, edited(batch, values, state.mask, state.weight));
    compare(page, engine(now), `${batch.name}, edit ${i}`);
  }
  refuseWeights(page, cells);
  guesses(file, page, first);
}

// What is no weight changes nothing.
function refuseWeights(page, cells) {
  const input = cells[0].querySelector("input"), sum = page.document.getElementById("sum").textContent;
  for (const text of ["", "x", "-1", "inf", "nan", "1,5"]) {
    input.value = text;
    input.dispatch("change");
    if (input.getAttribute("aria-invalid") !== "true") complain(`the weight '${text}' is taken`);
  }
  if (page.document.getElementById("sum").textContent !== sum) complain("what is no weight changes the sum");
}

// The page judges a lesson's guess as the engine does; an experiment's by its own number and its usual mistakes.
function guesses(file, page, truth) {
  const guess = (root, text) => {
    const answer = root.parentElement.querySelector("details.answer");
    answer.open = false;
    root.querySelector("input").value = text;
    root.querySelector("button").click();
    ++count.guesses;
    if (text.trim() && !answer.open) complain(`${file}: the guess '${text}' leaves the answer folded`);
    return root.querySelector("output").textContent;
  };
  for (const root of page.document.querySelectorAll(".guess")) {
    const experiment = truth.experiments.find(e => e.id === root.dataset.experiment);
    const right = number(experiment ? experiment.prediction : truth.lesson.prediction), where = `${file}, ${experiment?.id ?? "lesson"}`;
    const is = (text, words) => {
      const said = guess(root, text);
      if (!said.startsWith(words)) complain(`${where}: the guess '${text}' is answered with '${said}', not '${words}'`);
    };
    const digits = x => Number.isFinite(x) ? String(Number(x.toPrecision(9))) : Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
    is(digits(right), "Right.");
    is(digits(right).replace(".", ","), "Right.");
    is("three", "That is no number.");
    is("", "");
    for (const text of ["123456.75", "inf", "+Infinity", "∞", "-inf", "NaN"])
      if (!Object.is(number(text.toLowerCase().replace(/^\+/, "").replace(/infinity|∞/, "inf")), right) && Number(text) !== right) {
        const said = guess(root, text);
        if (said === "Right." || said === "That is no number.") complain(`${where}: the guess '${text}' is answered with '${said}'`);
      }
    for (const m of experiment?.mistakes ?? [])
      if (apart([number(m.value)], [right]) > 1e-2) is(digits(number(m.value)), "That is ");
    if (experiment || !lessons) continue;
    for (const x of [right, number(truth.value), ...truth.modes.map(m => Array.isArray(m.value) ? NaN : number(m.value))]) {
      if (typeof x !== "number" || !Number.isFinite(x)) continue;
      const text = digits(x), engineSays = run("explain", file, "--predict", text).status === 0;
      if ((guess(root, text) === "Right.") !== engineSays) complain(`${where}: the guess '${text}' is ${engineSays ? "right" : "wrong"} by the engine only`);
    }
    for (const few of [2, 3, 4].map(n => Number.isFinite(right) ? right.toPrecision(n) : "").filter(text => text.includes("."))) {
      const judged = run("explain", file, "--predict", few), said = guess(root, few);
      const engineSays = judged.status === 0 ? "Right." : judged.stdout.includes("may be right") ? "It may be" : "";
      if (engineSays ? !said.startsWith(engineSays) : /^(Right|It may be)/.test(said)) complain(`${where}: the guess '${few}' is answered with '${said}', by the engine '${engineSays}'`);
      count.few += engineSays === "It may be";
    }
  }
}

console.log(`seed ${seed}`);
for (const batch of BATCHES) if (!problems.length) edit(batch, EDITS / BATCHES.length);
for (const name of fs.readdirSync(lessons).filter(n => n.endsWith(".yaml"))) {
  const file = path.join(lessons, name), page = open(file), truth = engine(file);
  compare(page, truth, name);
  guesses(file, page, truth);
}
console.log(`${count.edits} edits (${count.refused} batches refused), ${count.numbers} numbers, largest difference ${count.worst.toExponential(1)}; ${count.guesses} guesses`);
if (count.few < 3 && !problems.length) complain(`${count.few} guesses of too few digits only`);
if (count.edits < 200 && !problems.length) complain(`${count.edits} edits only`);
for (const problem of problems) console.log(`error: ${problem}`);
process.exit(problems.length ? 1 : 0);
