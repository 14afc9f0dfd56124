"""The work of sacrebleu_corpora.sh: PROGRAM FOLDER CORPORA."""
import json
import pathlib
import random
import subprocess
import sys
import unicodedata

from sacrebleu.metrics import BLEU, CHRF

PROGRAM, FOLDER, CORPORA = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
ADJECTIVES = {"alte": "old", "kleine": "small", "grüne": "green", "schöne": "beautiful"}
NOUNS = {"Haus": "house", "Kind": "child", "Buch": "book", "Mädchen": "girl", "Café": "café"}
VERBS = {"sieht": "sees", "sucht": "seeks", "hört": "hears"}
MODELS = {"word": [], "lower": ["data.lowercase=true"], "char": ["data.vocabulary.kind=char", "data.max_length=200"],
          "bpe": ["data.vocabulary={kind: bpe, size: 90}"]}
SPACES = [" ", "  ", "\t", " \t ", "\u00a0", "\u3000", "\u2009"]


def run(*arguments, stdin=""):
    done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True, encoding="utf-8", cwd=FOLDER)
    if done.returncode != 0:
        sys.exit(f"seqgrad {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def sentence(draw):
    a, n, v, m = (draw.choice(list(words.items())) for words in (ADJECTIVES, NOUNS, VERBS, NOUNS))
    return f"das {a[0]} {n[0]} {v[0]} das {m[0]} .", f"the {a[1]} {n[1]} {v[1]} the {m[1]} ."


def spoiled(line, draw):
    """A line as people and files have it."""
    kind = draw.randrange(12)
    if kind == 0:
        return ""
    if kind == 1:
        return draw.choice([" ", "\t ", "  "])
    if kind == 2:
        return draw.choice(line.split())
    if kind == 3:
        line = unicodedata.normalize("NFD", line)
    if kind == 4:
        line = line[0].upper() + line[1:]
    if kind == 5:
        line = line.upper()
    if kind == 6:
        line = line.replace(" .", draw.choice([".", "!", "...", " . ", "?"]))
    if kind == 7:
        line = draw.choice(SPACES).join(line.split(" ")) + draw.choice(["", " ", "\t"])
    if kind == 8:
        line += " " + sentence(draw)[draw.randrange(2)]
    return line


def write(name, lines):
    (FOLDER / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return name


def train(draw):
    for split, count in (("train", 400), ("dev", 20)):
        pairs = [sentence(draw) for _ in range(count)]
        write(f"{split}.de", [p[0] for p in pairs])
        write(f"{split}.en", [p[1] for p in pairs])
    (FOLDER / "c.yaml").write_text(
        "data: {train: {src: train.de, trg: train.en}, dev: {src: dev.de, trg: dev.en}}\n"
        "model: {embedding: 16, encoder: {hidden: 16}, decoder: {hidden: 24}}\n"
        "train: {steps: 60, batch: {size: 16}, validate_every: 60}\noptim: {lr: 0.02}\nthreads: 1\n")
    for name, keys in MODELS.items():
        run("train", "c.yaml", "-q", "--run-dir", name, *[a for k in keys for a in ("--set", k)])


def four_tokens(bleu, lines):
    return any(len(bleu._preprocess_segment(line).split()) >= 4 for line in lines)


def difference(i, draw):
    """The largest difference of one corpus; None where BLEU has no value."""
    model = draw.choice(list(MODELS))
    size, short = draw.randrange(1, 12), draw.random() < 0.15
    pairs = [sentence(draw) for _ in range(size)]
    source = [spoiled(p[0], draw) for p in pairs]
    documents = [[spoiled(p[1], draw) for p in pairs] for _ in range(draw.choice([1, 1, 1, 2, 3]))]
    source[0], documents[0][0] = pairs[0]  # evaluate refuses a text without any pair of words
    if short:
        documents = [[" ".join(line.split()[:2]) for line in d] for d in documents]
    tokenize, lowercase = draw.choice(["13a", "13a", "none", "char", "zh"]), draw.random() < 0.3
    flags = ["--tokenize", tokenize] + (["--lowercase"] if lowercase else [])
    flags += [a for r, d in enumerate(documents) for a in ("--ref", write(f"ref{r}", d))]
    ours = json.loads(run("evaluate", model, "--src", write("src", source), "--json", "-q", *flags))
    raw = run("translate", model, "--raw", "-q", stdin="".join(line + "\n" for line in source)).split("\n")[:-1]
    lowercase |= model == "lower"
    bleu, chrf = BLEU(tokenize=tokenize, lowercase=lowercase, force=True), CHRF(lowercase=lowercase)
    wanted, wanted_chrf = bleu.corpus_score(raw, documents).score, chrf.corpus_score(raw, documents).score
    told = {"bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())}
    bad = [f"{k} {ours[k]} instead of {v}" for k, v in told.items() if ours[k].split("|version")[0] != v.split("|version")[0]]
    defined = any(four_tokens(bleu, d) for d in documents)
    if defined != (ours["bleu"] is not None):
        bad.append(f"bleu {ours['bleu']}, and a reference {'has' if defined else 'lacks'} four tokens")
    if ours["sentences"] != size or len(raw) != size:
        bad.append(f"{ours['sentences']} sentences, {len(raw)} translations of {size} lines")
    if bad:
        sys.exit(f"corpus {i} ({model}): {'; '.join(bad)}")
    return max(abs(ours["chrf"] - wanted_chrf), abs(ours["bleu"] - wanted) if defined else 0), defined


def main():
    seed = 20261128
    draw = random.Random(seed)
    train(draw)
    results = [difference(i, draw) for i in range(CORPORA)]
    largest, undefined = max(d for d, _ in results), sum(not defined for _, defined in results)
    print(f"{CORPORA} corpora (seed {seed}, {undefined} without a 4-gram), largest difference {largest:.0e}")
    sys.exit(largest > 1e-9)


main()
