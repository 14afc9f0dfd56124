// Predict, then reveal: answers stay folded until a person has guessed, and a guess is told from known mistakes.
"use strict";

const Guess = (() => {
  // As a person types it: 1,5 is 1.5.
  const plain = text => text.trim().toLowerCase().replace(",", ".").replace("−", "-").replace(/^\+/, "");

  // What is no finite number has its words; NaN is undefined for what is no number at all.
  function value(text) {
    if (text === "nan") return NaN;
    if (/^-?(inf|infinity|∞)$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
    return /^[-.\d]/.test(text) && Number.isFinite(Number(text)) ? Number(text) : undefined;
  }

  // Of the last digit.
  function unitOf(text) {
    const [mantissa, power = "0"] = text.split("e"), point = mantissa.indexOf(".");
    return point < 0 ? 1e-9 : 10 ** (Number(power) - (mantissa.length - point - 1));
  }

  // Whether a typed number is x as far as its digits go, or up to a relative `rounding`.
  function says(text, x, rounding = 0) {
    const typed = value(text), unit = unitOf(text);
    if (!Number.isFinite(typed) || !Number.isFinite(x)) return Object.is(typed, x);
    const size = Math.max(Math.abs(x), Math.abs(typed));
    return Math.abs(typed - x) <= Math.max(1e-9 * Math.abs(x), Math.min(1.0001 * unit, 2e-3 * size), rounding * size);
  }

  function verdict(text, answers) {
    const typed = plain(text);
    if (typed === "") return "";
    if (value(typed) === undefined) return "That is no number.";
    const hit = answers.find(a => says(typed, a.value, a.rounding));
    if (hit && hit.right) return "Right.";
    if (answers.some(a => a.right && Math.abs(value(typed) - a.value) <= 0.5001 * unitOf(typed)))
      return "It may be: a digit more tells it from what others get.";
    if (hit) return `That is ${hit.words}`;
    return "Not that; and no usual mistake gives it.";
  }

  const answersOf = ({prediction, mistakes}) => [{value: Loss.number(prediction), right: true},
                                                 ...mistakes.map(m => ({value: Loss.number(m.value), words: m.words}))];

  // A lesson asks for what its repaired file says; other numbers may be those of the flawed file or of another mode.
  function lessonAnswers(data) {
    const asked = data.lesson && data.lesson.prediction !== null;
    const right = asked ? [{value: Loss.number(data.lesson.prediction), right: true, rounding: data.lesson.rounding}] : [];
    const words = m => m.own ? "what the file as it stands says: the flaw is in its loss" : `${m.name}: ${m.formula || m.words}`;
    return [...right, ...data.modes.filter(m => !m.refused && !Array.isArray(m.value)).map(m => ({value: Loss.number(m.value), words: words(m)}))];
  }

  // Each .guess has an input, a button and a line; the fold after it holds the answer.
  function wire(root, answers) {
    const input = root.querySelector("input"), line = root.querySelector("output");
    const answer = root.parentElement.querySelector("details.answer");
    const later = root.dataset.lesson ? document.getElementById("later") : answer;  // the rest of a lesson's page
    const reveal = () => { line.textContent = verdict(input.value, answers); answer.open = later.open = true; };
    root.querySelector("button").addEventListener("click", reveal);
    input.addEventListener("keydown", event => { if (event.key === "Enter") reveal(); });
  }

  function start(data) {
    for (const root of document.querySelectorAll(".guess")) {
      const experiment = data.experiments.find(e => e.id === root.dataset.experiment);
      wire(root, experiment ? answersOf(experiment) : lessonAnswers(data));
    }
    const hide = document.getElementById("hide");
    if (hide) hide.addEventListener("change", () => {
      for (const answer of document.querySelectorAll("details.answer")) answer.open = !hide.checked;
    });
  }

  return {start, verdict, answersOf, lessonAnswers};
})();
