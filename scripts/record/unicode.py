#!/usr/bin/env python3
"""Records lower case and normal forms of Python's tables as tests/golden/unicode.json: python scripts/record/unicode.py

Needs Python alone. `unassigned` are the ranges that its version of Unicode does not know; tests leave them out.
"""
import json
import pathlib
import random
import sys
import unicodedata

LAST = 0x110000
FORMS = ["NFC", "NFD", "NFKC"]


def ranges(true_of):
    found = []
    for c in range(LAST):
        if not true_of(c):
            continue
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def known(c):
    return unicodedata.category(chr(c)) not in ("Cn", "Cs")


def fnv(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return f"{h:016x}"


def blocks(form, size=0x1000):
    """A hash of each block's characters in a form, a line feed after each."""
    return [fnv("".join(unicodedata.normalize(form, chr(c)) + "\n" for c in range(begin, begin + size) if known(c)))
            for begin in range(0, LAST, size)]


def texts(seed=7):
    draw = random.Random(seed)
    pool = list("AbΣσςI İıßẞǅ.'-1") + [chr(c) for c in (0x301, 0x307, 0x323, 0x345, 0xAD, 0x1100, 0x1161, 0x11A8, 0xAC00,
                                                        0x1EA4, 0x10A0, 0x1C90, 0x13A0, 0x531, 0xFB01, 0xFF21, 0xA0, 0x2126, 0x212B, 0x10400)]
    made = ["".join(draw.choice(pool) for _ in range(draw.randrange(1, 12))) for _ in range(300)]
    return ["ΟΔΥΣΣΕΥΣ", "Σ", "ΑΣ.", "ΑΣ.Β", "TIẾNG VIỆT", "Tiếng Việt", "ՀԱՅԵՐԵՆ", "ᲥᲐᲠᲗᲣᲚᲘ", "İSTANBUL"] + made


def main():
    lower = {f"{c:04X}": chr(c).lower() for c in range(LAST) if known(c) and chr(c).lower() != chr(c)}
    out = {
        "python": sys.version.split()[0],
        "unicode": unicodedata.unidata_version,
        "unassigned": ranges(lambda c: not known(c)),
        "lower": lower,
        "final_after": ranges(lambda c: known(c) and (chr(c) + "Σ").lower()[-1] == "ς"),
        "final_over": ranges(lambda c: known(c) and ("A" + chr(c) + "Σ").lower()[-1] == "ς"),
        "final_before": ranges(lambda c: known(c) and ("AΣ" + chr(c)).lower()[1] == "ς"),
        "normal_blocks": {form: blocks(form) for form in FORMS},
        "texts": [[t, t.lower()] + [unicodedata.normalize(form, t) for form in FORMS] for t in texts()],
    }
    path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "unicode.json"
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{len(lower)} lower-case letters, {len(out['texts'])} texts by Unicode {unicodedata.unidata_version} -> {path}")


if __name__ == "__main__":
    main()
