// Predict, then reveal: answers stay folded until a person has guessed, and a guess is told from known mistakes.
"use strict";

const Guess = (() => {
  // Whether a typed number is x as far as its digits go.
  function says(text, x) {
    const typed = Number(text.replace(",", ".").replace("−", "-"));
    if (/^\s*nan\s*$/i.test(text)) return Number.isNaN(x);
    if (text.trim() === "" || !Number.isFinite(typed) || !Number.isFinite(x)) return false;
    const [mantissa, power = "0"] = text.trim().toLowerCase().split("e"), point = mantissa.indexOf(".");
    const unit = point < 0 ? 1e-9 : 10 ** (Number(power) - (mantissa.length - point - 1));
    return Math.abs(typed - x) <= Math.max(1e-9 * Math.abs(x), Math.min(1.0001 * unit, 2e-3 * Math.max(Math.abs(x), Math.abs(typed))));
  }

  function verdict(text, answers) {
    if (text.trim() === "") return "";
    if (!/^\s*([-−+]?[0-9.,]+(e[-+]?[0-9]+)?|nan)\s*$/i.test(text)) return "That is no number.";
    const hit = answers.find(a => says(text, a.value));
    if (hit) return hit.right ? "Right." : `That is what one gets by this: ${hit.words}`;
    return "Not that; and no usual mistake gives it.";
  }

  // Each .guess has an input, a button and a line; the fold after it holds the answer.
  function wire(root, answers) {
    const input = root.querySelector("input"), line = root.querySelector("output");
    const answer = root.parentElement.querySelector("details.answer");
    const reveal = () => { line.textContent = verdict(input.value, answers); answer.open = true; };
    root.querySelector("button").addEventListener("click", reveal);
    input.addEventListener("keydown", event => { if (event.key === "Enter") reveal(); });
  }

  function start(data) {
    for (const root of document.querySelectorAll(".guess")) {
      const experiment = data.experiments.find(e => e.id === root.dataset.experiment);
      const answers = experiment
          ? [{value: Loss.number(experiment.prediction), right: true}, ...experiment.mistakes.map(m => ({...m, value: Loss.number(m.value)}))]
          : data.modes.filter(m => !m.refused && !Array.isArray(m.value)).map(m => ({value: Loss.number(m.value), words: `${m.name} (${m.formula || m.words})`, right: m.own}));
      wire(root, answers);
    }
    const hide = document.getElementById("hide");
    if (hide) hide.addEventListener("change", () => {
      for (const answer of document.querySelectorAll("details.answer")) answer.open = !hide.checked;
    });
  }

  return {says, verdict, start};
})();
