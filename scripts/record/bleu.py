#!/usr/bin/env python3
"""Records BLEU and chrF2 scores of sacreBLEU as tests/golden/bleu.json: python scripts/record/bleu.py

Needs sacrebleu. The 1,000 generated pairs are made again by tests/metrics/test_metrics.cpp from the same generator.
"""
import json
import pathlib

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

EDGE_CASES = [  # (name, hypotheses, references)
    ("identical", ["the cat sat on the mat"], ["the cat sat on the mat"]),
    ("no overlap", ["a b c d e"], ["v w x y z"]),
    ("empty hypothesis", [""], ["the cat sat on the mat"]),
    ("empty reference", ["the cat sat on the mat"], [""]),
    ("both empty", [""], [""]),
    ("blank hypothesis", ["  \t "], ["a b c d"]),
    ("one empty of two", ["", "the cat sat on the mat"], ["a dog", "the cat sat on a mat"]),
    ("one token right", ["cat"], ["cat"]),
    ("one token wrong", ["cat"], ["dog"]),
    ("two tokens", ["the cat"], ["the cat"]),
    ("three tokens", ["the cat sat"], ["the cat sat"]),
    ("four tokens, no 4-gram right", ["the cat sat there"], ["the cat sat here"]),
    ("smoothing of two orders", ["the cat x y z"], ["the dog x q z"]),
    ("smoothing of three orders", ["a b c d e f"], ["a x b y c z"]),
    ("short hypothesis", ["the cat sat on"], ["the cat sat on the mat today"]),
    ("long hypothesis", ["the cat sat on the mat today again"], ["the cat sat on"]),
    ("repeated words are clipped", ["the the the the the the"], ["the cat is on the mat"]),
    ("attached punctuation", ["Hello, world! It works."], ["Hello , world ! It works ."]),
    ("decimal numbers", ["It costs 1,234.56 or 0.5 or .5 or 5."], ["It costs 1,234.56 or 0.5, or .5 or 5 ."]),
    ("points in a row", ["wait... what.. no. ,.,. ok"], ["wait ... what .. no . ,. ,. ok"]),
    ("dashes", ["from 3-4 and 2005- to well-known -5 pre-9"], ["from 3 -4 and 2005 - to well-known -5 pre-9"]),
    ("all of ASCII's symbols", ["!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"], ["! \" # $ % & ' ( ) * + , - . / : ; < = > ? @ [ \\ ] ^ _ ` { | } ~"]),
    ("entities", ["&quot;a&quot; &amp; b &lt;c&gt; &amp;lt;"], ['"a" & b <c> &lt;']),
    ("skipped marks", ["a <skipped> b c d e"], ["a b c d e"]),
    ("apostrophes", ["don't can't 'quoted' it's"], ["don 't can't ' quoted ' it's"]),
    ("capitals", ["The Cat Sat On The Mat"], ["the cat sat on the mat"]),
    ("umlauts", ["Die Bäume müssen größer wachsen als früher."], ["Die Bäume mussten größer wachsen als früher ."]),
    ("capital umlauts", ["ÄPFEL ÜBER ÖL UND NÜSSE"], ["Äpfel über Öl und nüsse"]),
    ("Greek and Cyrillic", ["ΚΑΛΗΜΕΡΑ κόσμε Привет МИР"], ["καλημερα κόσμε привет мир"]),
    ("Chinese", ["今天天气很好。 我们 去 公园 吧"], ["今天天气不好。 我们 去 公园 吧"]),
    ("emoji", ["I ❤️ 🐈 and 👩‍👩‍👧 a lot"], ["I ❤️ 🐕 and 👩‍👩‍👧 a lot"]),
    ("German quotation marks", ["Er sagte: „Guten Tag“, und ging – schnell."], ["Er sagte : „ Guten Tag “ , und ging – schnell ."]),
    ("no-break spaces", ["a\u00a0b c d\u202fe f"], ["a b c\u00a0d e f"]),
    ("tabs and double spaces", ["a\tb  c   d\te"], ["a b c d e"]),
    ("odd white space", ["a\u2028b\u3000c\u0085d\x1ce\x0bf"], ["a b c d e f"]),
    ("zero-width space is no space", ["a\u200bb c d e"], ["a b c d e"]),
    ("trailing space", ["a b c d e   "], ["a b c d e\u00a0"]),
    ("control bytes", ["a\x00b c \x01 d e"], ["a\x00b c \x02 d e"]),
    ("a long sentence", [" ".join(f"w{i % 37}" for i in range(2000))], [" ".join(f"w{i % 41}" for i in range(2000))]),
    ("a long word", ["x" * 5000 + " y z q"], ["x" * 4990 + " y z q"]),
    ("a corpus of short sentences", ["a", "b c", "d e f", "g"], ["a", "b d", "d e f", "h"]),
    ("Vietnamese capitals", ["TIẾNG VIỆT RẤT ĐẸP Ạ"], ["Tiếng Việt rất đẹp ạ"]),
    ("final sigma", ["Ο ΟΔΥΣΣΕΥΣ ΕΙΝΑΙ ΕΔΩ."], ["ο οδυσσευς ειναι εδω ."]),
    ("capital I with a dot", ["İSTANBUL ÇOK GÜZEL BİR ŞEHİR"], ["i̇stanbul çok güzel bi̇r şehi̇r"]),
    ("Armenian and Georgian", ["ՀԱՅԵՐԵՆ ԵՒ ᲥᲐᲠᲗᲣᲚᲘ ԼԵԶՈՒ"], ["հայերեն եւ ქართული լեզու"]),
    ("composed against decomposed", ["die grüne Tür ist zu"], ["die gru\u0308ne Tu\u0308r ist zu"]),
    ("Chinese with Latin words", ["我用 PyTorch 2.0 训练了 3,500 个模型。"], ["我用 PyTorch 2.0, 训练 3,500 个模型！"]),
    ("Chinese and Western quotation marks", ["他说：“你好”——真的…… 是'吗'?"], ["他说:“你好” —— 真的… 是 'ma'？"]),
    ("full-width forms", ["ＡＢＣ１２３，．！ end"], ["ABC123,.! end ．"]),
    ("rare ideographs", ["\U00020000\U0002A6D6字\U0002F800\U0002FA1D龻龼"], ["\U00020000字\U0002F800龻 龼"]),
    ("Japanese and Korean", ["私は学生です。 나는 학생입니다 ㄅㄆ ㍿"], ["私は先生です。 나는 선생입니다 ㄅㄆ ㍿"]),
    ("points at the ends", [".a b. ,c d, 1.2. -3- 4-5"], [". a b . , c d , 1.2. -3- 4 -5"]),
    ("lengths cancel over the corpus", ["a b c d e f g h", "a b"], ["a b c d", "a b c d e f"]),
]

SEVERAL_REFERENCES = [  # (name, hypotheses, documents of references)
    ("two", ["the cat sat on the mat"], [["the cat sat on a mat"], ["a cat was sitting on the mat"]]),
    ("the better is the second", ["a dog barks loudly today", "no"], [["the hound is loud", "yes"], ["a dog barks loudly", "no"]]),
    ("lengths as near", ["a b c d e"], [["a b c d x y"], ["a b c d"]]),
    ("counts of each", ["the the the cat on the mat"], [["the cat the mat on"], ["the the cat is on mat"], ["on on the mat"]]),
    ("an empty one", ["the cat sat on the mat", "a b c d"], [["", "a b c d"], ["the cat sat on the mat", ""]]),
    ("an empty hypothesis", ["", "a b c d"], [["a", "a b c x"], ["", "a b c d e"]]),
    ("the same twice", ["The Cat sat."], [["the cat sat ."], ["the cat sat ."]]),
    ("all blank", ["  "], [[" "], ["\t"]]),
]

VOCABULARY = ["der", "die", "Katze", "Hund,", "sieht", "größer", "3.5", "2005-2006", "don't", "(well", "end.", "&amp;",
              "A", "a", "Zürich!", "x-y", "...", "“so”", "日本", "the"]


class Generator:
    """Knuth's MMIX generator; the upper 31 bits of each state are the draw."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n


def generated_pairs(count, seed):
    """References of 0 to 24 words; hypotheses that drop, change, double or swap some of them."""
    draw = Generator(seed)
    hypotheses, references = [], []
    for _ in range(count):
        reference = [VOCABULARY[draw.below(len(VOCABULARY))] for _ in range(draw.below(25))]
        noise = draw.below(10)
        hypothesis = []
        for word in reference:
            action = draw.below(20) if draw.below(10) < noise else 19
            if action < 4:
                continue
            if action < 9:
                word = VOCABULARY[draw.below(len(VOCABULARY))]
            hypothesis.append(word)
            if action == 9:
                hypothesis.append(word)
            if action == 10 and len(hypothesis) > 1:
                hypothesis[-1], hypothesis[-2] = hypothesis[-2], hypothesis[-1]
        hypotheses.append(" ".join(hypothesis))
        references.append(" ".join(reference))
    return hypotheses, references


METRICS = {
    "bleu_13a": BLEU(tokenize="13a", force=True),
    "bleu_none": BLEU(tokenize="none", force=True),
    "bleu_char": BLEU(tokenize="char", force=True),
    "bleu_zh": BLEU(tokenize="zh", force=True),
    "bleu_13a_lc": BLEU(tokenize="13a", lowercase=True, force=True),
    "chrf": CHRF(),
    "chrf_lc": CHRF(lowercase=True),
}


def scores(hypotheses, references):
    result = {name: metric.corpus_score(hypotheses, [references]).score for name, metric in METRICS.items()}
    bleu = METRICS["bleu_13a"].corpus_score(hypotheses, [references])
    result.update(precisions=bleu.precisions, bp=bleu.bp, hyp_len=bleu.sys_len, ref_len=bleu.ref_len)
    return result


def zh_blocks():
    """For every character: whether tokenizer zh sets it apart, as ranges."""
    tokenizer, found = METRICS["bleu_zh"].tokenizer, []
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000 or "a" + chr(c) + "b" == tokenizer("a" + chr(c) + "b"):
            continue
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def main():
    seed, group = 20240131, 10
    hypotheses, references = generated_pairs(1000, seed)
    out = {
        "sacrebleu": sacrebleu.__version__,
        "edge_cases": [dict(name=name, hypotheses=h, references=r, **scores(h, r)) for name, h, r in EDGE_CASES],
        "generated": {
            "seed": seed,
            "vocabulary": VOCABULARY,
            "first": [hypotheses[0], references[0]],
            "group": group,
            "all": scores(hypotheses, references),
            "groups": [[scores(hypotheses[i:i + group], references[i:i + group])[m] for m in METRICS]
                       for i in range(0, len(hypotheses), group)],
        },
    }
    out["several_references"] = [
        dict(name=name, hypotheses=h, references=r, scores={m: metric.corpus_score(h, r).score for m, metric in METRICS.items()},
             signatures={m: str(metric.get_signature()) for m, metric in METRICS.items()})
        for name, h, r in SEVERAL_REFERENCES]
    out["zh_changes"] = zh_blocks()
    scores(*generated_pairs(1, seed))  # signatures tell the number of references of what was scored last
    out["signatures"] = {name: str(metric.get_signature()) for name, metric in METRICS.items()}
    path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "bleu.json"
    path.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    print(f"{len(EDGE_CASES)} edge cases and {len(hypotheses)} pairs by sacreBLEU {sacrebleu.__version__} -> {path}")


if __name__ == "__main__":
    main()
