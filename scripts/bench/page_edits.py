#!/usr/bin/env python3
"""Random edits of explain's page against the engine, in headless Chromium. Needs nothing but Python and the browser.

  page_edits.py BROWSER SEQGRAD FOLDER SEED
Exit 1 when a badge is not green, an edit's numbers differ from the engine's by more than 1e-12 (of 1, or of the number where
it is larger), the keyboard does not do what it should, or look_at_pages finds something.
"""
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

from look_at_pages import Browser, look

EDITS, LIMIT = 200, 1e-12
WORDS = ["<pad>", "the", "dog", "sees", "a", "</s>", "cat"]
# One batch each: what its loss says, and which sources it has.
BATCHES = [
    dict(name="plain", loss={"preset": "token_mean"}, lengths=True, lesson={
        "question": "What should it be?", "predict": "the loss", "answer": "This.", "repair": "loss: {preset: sum}"}),
    dict(name="weighted", loss={"reduce": {"over": "all", "divide": {"time": "weight", "batch": "active_batch"}, "divide_eps": 1e-12},
                                "smoothing": {"epsilon": 0.1}}, lengths=True, token_weight=True, example_weight=True, class_weight="class"),
    dict(name="vector", loss={"preset": "tf1.sequence_loss_by_example", "mask": {"ignore_index": 0}}, poison=True, token_weight=True),
    dict(name="scoped", loss={"reduce": {"over": "all", "divide": "nonzero", "on_zero": "error"}, "softcap": 3.0, "z_loss": 0.01},
         mask=True, class_weight="target"),
    dict(name="probabilities", loss={"input": "probs", "reduce": {"over": "batch", "divide": "weight", "then": "mean"}},
         lengths=True, token_weight=True),
    dict(name="refused", loss={"preset": "sentence_mean"}, lengths=True, nan=(0, 1)),
]


def make(batch, random):
    """The tensors of a case, in lists."""
    b, t, v = 3, 5, len(WORDS)
    number = lambda: random.gauss(0, 1.5)
    rows = [[[number() for _ in range(v)] for _ in range(t)] for _ in range(b)]
    if batch["loss"].get("input") == "probs":
        rows = [[[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in sentence] for sentence in rows]
    tensors = {"probs" if batch["loss"].get("input") == "probs" else "logits": rows,
               "targets": [[random.randrange(1, v) for _ in range(t)] for _ in range(b)]}
    if batch.get("lengths"):
        tensors["lengths"] = [t, 3, 1]
    if batch.get("mask"):
        tensors["mask"] = [[random.randrange(2) for _ in range(t)] for _ in range(b)]
    if batch.get("token_weight"):
        tensors["token_weight"] = [[random.choice([0.0, 0.5, 1.0, 2.0]) for _ in range(t)] for _ in range(b)]
    if batch.get("example_weight"):
        tensors["example_weight"] = [1.0, 0.25, 3.0]
    if batch.get("class_weight"):
        tensors["class_weight"] = [0.5, 1.0, 2.0, 0.0, 1.5, 1.0, 0.25]
    if batch.get("lesson"):
        tensors["gold.value"] = 12.375
    if batch.get("poison"):  # padding that nothing may look at
        for i, j in ((1, 4), (2, 2), (2, 3), (2, 4)):
            tensors["targets"][i][j] = 0
        tensors["logits"][2][4][1] = math.nan
        tensors["logits"][2][3] = [-math.inf] * v
    if "nan" in batch:  # on a live row: refused until somebody masks it
        i, j = batch["nan"]
        tensors["logits"][i][j][2] = math.nan
    return tensors


def yaml(x):
    if isinstance(x, dict):
        return "{" + ", ".join(f'"{k}": {yaml(v)}' for k, v in x.items()) + "}"
    if isinstance(x, list):
        return "[" + ", ".join(map(yaml, x)) + "]"
    if isinstance(x, float):
        return ".nan" if math.isnan(x) else f"{'-' if x < 0 else ''}.inf" if math.isinf(x) else repr(x)
    return json.dumps(x)


def write_case(path, batch, tensors):
    loss = json.loads(json.dumps(batch["loss"]))
    if "class_weight" in tensors:
        loss["weights"] = {"class": {"scope": batch["class_weight"]}}
    lesson = "".join(f"{key}: {yaml(text)}\n" for key, text in batch.get("lesson", {}).items())
    path.write_text(f"name: {path.stem}\nabout: a batch of the page's test\n{lesson}words: {yaml(WORDS)}\nloss: {yaml(loss)}\ntensors:\n" +
                    "".join(f"  {name}: {yaml(x)}\n" for name, x in tensors.items()))


def edited(batch, tensors, mask, weight):
    """The case that an edit of the page stands for: its mask and weights instead of all sources of masks."""
    steps = len(tensors["targets"][0])
    grid = lambda flat: [flat[i:i + steps] for i in range(0, len(flat), steps)]
    new = {k: v for k, v in tensors.items() if k not in ("lengths", "mask", "token_weight")}
    new["mask"], new["token_weight"] = grid([int(m) for m in mask]), grid(weight)
    loss = {k: v for k, v in batch["loss"].items() if k != "mask"}
    return {**batch, "loss": loss}, new


def engine(seqgrad, path):
    done = subprocess.run([seqgrad, "explain", str(path), "--json"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{path}: {done.stderr}")
    return json.loads(done.stdout)


def numbers(x):
    x = x if isinstance(x, list) else [x]
    return [float(v) for v in x]


def apart(mine, theirs):
    """The largest difference, relative to numbers above 1."""
    if len(mine) != len(theirs):
        return math.inf
    worst = 0.0
    for a, b in zip(mine, theirs):
        if math.isnan(a) and math.isnan(b) or a == b:
            continue
        worst = max(worst, abs(a - b) / max(1.0, abs(b)) if math.isfinite(a) and math.isfinite(b) else math.inf)
    return worst


class Page:
    def __init__(self, browser, path):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.call("Page.enable", self.session)
        browser.events.clear()
        browser.call("Page.navigate", self.session, url=path.resolve().as_uri())
        browser.wait_for("Page.loadEventFired")

    def run(self, script):
        answer = self.browser.call("Runtime.evaluate", self.session, returnByValue=True, expression=script)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:400])
        return answer["result"].get("value")

    def key(self, key, code, text=""):
        for kind in ("keyDown", "keyUp"):
            self.browser.call("Input.dispatchKeyEvent", self.session, type=kind, key=key, code=code,
                              windowsVirtualKeyCode={"ArrowRight": 39, "ArrowDown": 40, " ": 32, "Tab": 9}[key],
                              **({"text": text} if text and kind == "keyDown" else {}))

    def press(self, cell):
        self.run(f"document.querySelector('.batch button[data-cell=\"{cell}\"]').click()")

    def weigh(self, cell, weight):
        self.run(f"""{{ const i = document.querySelector('.batch input[data-cell="{cell}"]');
                       i.value = '{weight!r}'; i.dispatchEvent(new Event('change', {{bubbles: true}})); }}""")

    def results(self):
        """Of each mode by its place, what the page says; and the gradient of the chosen one."""
        modes, gradient = self.run("""[[...document.querySelectorAll('#modes tr[data-mode]')].map(r => [r.dataset.mode, r.dataset.result]),
                                      [...document.querySelectorAll('#gradient tr[data-gradient]')].map(r => r.dataset.gradient)]""")
        by_place = {}
        for places, result in modes:
            for place in places.split():
                by_place[int(place)] = json.loads(result)
        number = lambda texts: [float(x) for x in json.loads(texts)]
        return by_place, [number(g) for g in gradient]


def differences(page, truth):
    """Largest difference between page and engine, the number of numbers, and words for what is wrong."""
    modes, gradient = page.results()
    worst, count, wrong = 0.0, 0, []
    if sorted(modes) != list(range(len(truth["modes"]))):
        wrong.append(f"the page has modes {sorted(modes)}")
    for i, mode in enumerate(truth["modes"]):
        mine = modes[i]
        if bool(mine["refused"]) != bool(mode["refused"]):
            wrong.append(f"{mode['name']}: page {mine['refused'] or 'has a value'}, engine {mode['refused'] or 'has one'}")
        if mine["refused"] or mode["refused"]:
            continue
        pairs = [(json.loads(mine["values"]), mode["value"]), (json.loads(mine["numerators"]), mode["numerator"]),
                 (json.loads(mine["divisors"]), mode["divisor"]), ([mine["gradient_norm"]], mode["gradient_norm"])]
        for name, (a, b) in zip(("value", "numerator", "divisor", "gradient norm"), pairs):
            a, b = [float(x) for x in a], numbers(b)
            off, count = apart(a, b), count + len(b)
            worst = max(worst, off)
            if off > LIMIT:
                wrong.append(f"{mode['name']}: {name} {a} on the page, {b} by the engine")
    if not truth["error"] and truth["shown"] == page.run("JSON.parse(document.getElementById('data').textContent).shown"):
        for n, token in enumerate(truth["tokens"]):
            off, count = apart(gradient[n], numbers(token["gradient"])), count + len(token["gradient"])
            worst = max(worst, off)
            if off > LIMIT:
                wrong.append(f"gradient of cell {n}: {gradient[n]} on the page, {token['gradient']} by the engine")
    return worst, count, wrong


def try_keyboard(page):
    active = "document.activeElement.dataset.cell + document.activeElement.tagName"
    pressed = "document.activeElement.getAttribute('aria-pressed')"
    page.run("document.querySelector('.batch button').focus()")
    page.key("ArrowRight", "ArrowRight")
    page.key("ArrowDown", "ArrowDown")
    if page.run(active) != "6BUTTON":
        return [f"arrow keys lead to {page.run(active)}, not to cell 6"]
    before = page.run(pressed)
    page.key(" ", "Space", " ")
    after = page.run(pressed)
    page.key(" ", "Space", " ")
    page.key("Tab", "Tab")
    if before == after or page.run(active) != "6INPUT":
        return [f"space: {before} to {after}; the tabulator leads to {page.run(active)}"]
    return []


def try_guesses(page, truth):
    """The right guess, each usual mistake, and one that is neither, for every experiment of the page and its lesson."""
    wrong = []
    asked = {f"x-{e['id']}": e for e in truth["experiments"]}
    if truth["lesson"]:
        asked["lesson"] = {"prediction": truth["lesson"]["prediction"],
                           "mistakes": [{"value": truth["value"], "words": "what the file as it stands says"}]}
    later = "[...document.querySelectorAll('#later')].map(d => d.open)"
    if page.run(later) != ([False] if truth["lesson"] else []):
        wrong.append("a lesson's numbers stand open before the guess")
    for place, experiment in asked.items():
        answer = float(experiment["prediction"])
        guesses = [(f"{answer:.9g}".replace(".", ","), "Right."), ("three", "That is no number."), ("123456.75", "Not that; and no")]
        guesses += [(f"{float(m['value']):.9g}", m["words"]) for m in experiment["mistakes"] if apart([float(m["value"])], [answer]) > 1e-3]
        for guess, words in guesses:
            said = page.run(f"""(() => {{ const s = document.getElementById("{place}"), d = s.querySelector("details.answer");
                d.open = false; s.querySelector(".guess input").value = {json.dumps(guess)}; s.querySelector(".guess button").click();
                return s.querySelector("output").textContent + (d.open ? "" : " (the answer stays folded)"); }})()""")
            if words not in said or "folded" in said:
                wrong.append(f"{place}: the guess {guess} is answered with '{said}'")
    if page.run(later) != ([True] if truth["lesson"] else []):
        wrong.append("a lesson's numbers stay folded after the guess")
    if not truth["experiments"]:
        return wrong
    hidden = "document.getElementById('hide').click(); document.querySelectorAll('details.answer[open]').length"
    before, shown, again = (page.run(hidden) for _ in range(3))
    if not (shown == 0 and before == again >= len(truth["experiments"])):
        wrong.append(f"predict first: {before}, {shown}, {again} open answers")
    return wrong


def edit(browser, seqgrad, folder, batch, random, edits):
    tensors = make(batch, random)
    case, page_file = folder / f"edit_{batch['name']}.yaml", folder / f"edit_{batch['name']}.html"
    write_case(case, batch, tensors)
    subprocess.run([seqgrad, "explain", str(case), "--html", str(page_file)], check=True, capture_output=True)
    first = engine(seqgrad, case)
    page = Page(browser, page_file)
    badge = page.run("document.getElementById('badge').className + ' ' + document.getElementById('badge').textContent")
    wrong = [] if badge.startswith("good ") else [f"badge: {badge}"]
    wrong += try_keyboard(page) + try_guesses(page, first)
    mask, weight = [t["mask"] for t in first["tokens"]], [float(t["token_weight"]) for t in first["tokens"]]
    worst = count = refused = 0
    for _ in range(edits):
        cell, kind = random.randrange(len(mask)), random.random()
        if kind < 0.45:
            mask[cell] = not mask[cell]
            page.press(cell)
        elif kind < 0.9:
            weight[cell] = random.choice([0.0, 0.5, 1.0, 2.0, random.random(), random.random() * 1e-3])
            page.weigh(cell, weight[cell])
        else:
            button = random.choice(["mask", "unmask", "ones", "reset"])
            page.run(f"document.getElementById('{button}').click()")
            if button == "reset":
                mask, weight = [t["mask"] for t in first["tokens"]], [float(t["token_weight"]) for t in first["tokens"]]
            elif button == "ones":
                weight = [1.0] * len(weight)
            else:
                mask = [button == "unmask"] * len(mask)
        now = folder / "edited.yaml"
        write_case(now, *edited(batch, tensors, mask, weight))
        truth = engine(seqgrad, now)
        off, n, bad = differences(page, truth)
        worst, count, refused = max(worst, off), count + n, refused + bool(truth["error"])
        wrong += [f"{batch['name']}, edit {now}: {w}" for w in bad]
        if bad:
            break
    print(f"{batch['name']}: {edits} edits, {refused} of them refused, {count} numbers, largest difference {worst:.1e}; {badge}")
    found, shots = look(browser, str(page_file), str(folder))
    return wrong + found


def main():
    program, seqgrad, folder, seed = sys.argv[1:]
    folder, wrong = pathlib.Path(folder), []
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        for i, batch in enumerate(BATCHES):
            wrong += edit(browser, seqgrad, folder, batch, random.Random(f"{seed} {i}"), -(-EDITS // len(BATCHES)))
        browser.close()
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
