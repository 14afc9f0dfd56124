// The page comes to life: numbers are computed again and checked against the engine's, then again after every edit.
"use strict";

{
  const data = JSON.parse(document.getElementById("data").textContent);
  const badge = document.getElementById("badge"), found = Loss.check(data), good = found.worst <= 1e-12;
  badge.className = good ? "good" : "bad";
  badge.textContent = !good
      ? `✗ ${found.where} computed in this page is off by ${found.worst.toExponential(1)}: believe the engine's numbers, and report this`
      : found.numbers === 0 ? "The engine refuses this batch as it stands, and so does this page."
      : `✓ ${found.numbers} numbers computed again in this page equal the engine's (largest difference ${found.worst.toExponential(1)})`;

  const section = id => document.getElementById(id);
  const edit = Loss.start(data), before = data.modes.map(m => Loss.compute(data, edit, m));
  let chosen = 0;
  const showGrid = batchGrid(section("batch"), data, edit, update);
  const showTokens = tokenTable(section("batch"), data, edit);
  const showModes = modeTable(section("modes"), data, () => chosen, i => { chosen = i; update(); });
  const showHeat = heatMap(section("gradient"), data, edit), showDivisors = divisorTable(section("divisors"), data);

  function update() {
    const results = data.modes.map(m => Loss.compute(data, edit, m)), mode = data.modes[chosen], result = results[chosen];
    result.total = result.refused ? 0 : result.coefficients.reduce((s, c, n) => s + (result.live[n] ? c * Loss.number(data.tokens[n].alone.loss) : 0), 0);
    section("sum").textContent = sumLine(mode, result);
    showGrid(result);
    showTokens(result);
    showModes(results, before);
    showHeat(result);
    showDivisors(result.whole);
    codeLines(section("code"), data, mode);
  }

  const all = change => () => { data.tokens.forEach((_, n) => change(n)); update(); };
  const first = Loss.start(data);
  section("reset").addEventListener("click", all(n => { edit.mask[n] = first.mask[n]; edit.weight[n] = first.weight[n]; }));
  section("unmask").addEventListener("click", all(n => { edit.mask[n] = true; }));
  section("mask").addEventListener("click", all(n => { edit.mask[n] = false; }));
  section("ones").addEventListener("click", all(n => { edit.weight[n] = 1; }));
  Guess.start(data);
  update();
}
