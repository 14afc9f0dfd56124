"""The mutations of a C++ source that clang-format has laid out: small edits of the kind that slip past a reader.

Tokens, not a parser: what does not compile is thrown away by whoever tries it. The layout tells a binary operator
(a space on both sides) from pointers, references, signs and template brackets."""

import dataclasses
import re

TOKEN = re.compile(r'''
    (?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ ]*\#[^\n]*)
  | (?P<string>R"\((?:.*?)\)"|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])')
  | (?P<number>\d[\d']*(?:\.\d*)?(?:[eE][+-]?\d+)?[a-zA-Z]*|\.\d+(?:[eE][+-]?\d+)?f?)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<op><<=|>>=|->|\+\+|--|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|%=|\|=|&=|<<|>>|::|.)
''', re.VERBOSE | re.DOTALL | re.MULTILINE)

BINARY = {
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"],
    "+=": ["-=", "="], "-=": ["+=", "="], "*=": ["/=", "="], "/=": ["*=", "="], "|=": ["&=", "="],
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
    "&&": ["||"], "||": ["&&"],
}
NAMES = {
    "min": ["max"], "max": ["min"], "max_element": ["min_element"], "min_element": ["max_element"],
    "isnan": ["isinf"], "isinf": ["isnan"], "isfinite": ["isnan"], "expm1": ["exp"], "log1p": ["log"],
    "true": ["false"], "false": ["true"], "continue": ["break"], "break": ["continue"],
}
COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}
DECLARES = {"using", "namespace", "template", "struct", "constexpr", "const", "auto", "static", "thread_local", "inline",
            "case", "default", "public", "private", "typename", "enum", "class", "extern", "return", "goto", "if", "for",
            "while", "switch", "do", "else", "try", "catch", "throw", "break", "continue"}


@dataclasses.dataclass(frozen=True)
class Token:
    kind: str
    text: str
    begin: int
    end: int


@dataclasses.dataclass(frozen=True)
class Mutant:
    file: str
    operator: str
    begin: int
    end: int
    text: str    # what stands there instead
    line: int
    before: str  # the lines it touches, in one line, as they are and as they become
    after: str

    @property
    def label(self):
        return f"{self.file}: {self.before} => {self.after}"

    def apply(self, source):
        return source[:self.begin] + self.text + source[self.end:]


def tokens_of(source):
    out, at = [], 0
    while at < len(source):
        match = TOKEN.match(source, at)
        if match.lastgroup != "skip":
            out.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
        at = match.end()
    return out


def pairs_of(tokens):
    """The index of each bracket's partner."""
    partner, stack = {}, []
    for i, t in enumerate(tokens):
        if t.kind == "op" and t.text in "([{":
            stack.append(i)
        elif t.kind == "op" and t.text in ")]}" and stack:
            partner[i] = stack.pop()
            partner[partner[i]] = i
    return partner


def numbers(text):
    """What a literal becomes: the neighbours of an integer, and of a float what makes another number of it."""
    suffix = re.search(r"[a-zA-Z]*$", text).group() if not re.search(r"\d[eE][+-]?\d+$", text) else ""
    body = text[:len(text) - len(suffix)] if suffix else text
    if re.fullmatch(r"[\d']+", body):
        n = int(body.replace("'", ""))
        return [f"{m}{suffix}" for m in ([1] if n == 0 else [n - 1, n + 1])]
    x = float(body.replace("'", ""))
    return [f"{m}{suffix}" for m in (["1.0"] if x == 0 else ["0.0", repr(2 * x)])]


def blocks(tokens, partner):
    """The statements: pairs (first token, closing semicolon) inside of function bodies."""
    found, stack, start, i = [], [], 0, 0
    openers = {")", "else", "{", "}", ";", "do", "try", "]", "const", "noexcept", "mutable", ":"}
    while i < len(tokens):
        t = tokens[i]
        if t.text == "{" and t.kind == "op":
            before = tokens[i - 1].text if i else ""
            block = before in openers or (stack == [] or stack[-1][0]) and tokens[i - 1].kind == "name" and i >= 2 and \
                tokens[i - 2].text in ("namespace", "struct")
            if before == "{" and stack:
                block = stack[-1][0]
            stack.append((block, start))
            if block:
                start = i + 1
        elif t.text in "([" and t.kind == "op":
            stack.append((False, start))
        elif t.text in ")]" and t.kind == "op" and stack:
            start = stack.pop()[1]
        elif t.text == "}" and t.kind == "op" and stack:
            block, saved = stack.pop()
            after = tokens[i + 1].text if i + 1 < len(tokens) else ""
            start = saved if not block or after in (";", ")", ",", "(") else i + 1
        elif t.text == ";" and (not stack or stack[-1][0]):
            first = start
            while tokens[first].text in ("if", "for", "while", "else", "switch"):  # strip the heads
                if tokens[first].text == "else":
                    first += 1
                    continue
                head = first + 1
                if tokens[head].text == "constexpr":
                    head += 1
                first = partner[head] + 1
            if first < i:
                found.append((first, i))
            start = i + 1
        i += 1
    return found


def deletable(tokens, first, last):
    a, b = tokens[first], tokens[first + 1]
    if a.text in ("continue", "break") and last == first + 1:
        return True
    if a.text in ("++", "--", "*"):
        return True
    if a.kind != "name" or a.text in DECLARES:
        return False
    i = first + 1  # a (qualified) name, then what makes it a call or an assignment
    while tokens[i].text in ("::", ".", "->") and i + 1 < last:
        i += 2
    return tokens[i].text in ("(", "[", "=", "+=", "-=", "*=", "/=", "|=", "&=", "++", "--", "<") and tokens[i - 1].kind == "name"


def ternary(tokens, i):
    """The parts of the conditional expression whose `?` is token i: (begin, colon, end) as token indices, or None."""
    depth, questions, colon = 0, 0, None
    for j in range(i + 1, len(tokens)):
        text = tokens[j].text if tokens[j].kind == "op" else ""
        if text in ("(", "[", "{"):
            depth += 1
        elif text in (")", "]", "}", ";", ",") and depth == 0:
            return (i + 1, colon, j) if colon else None
        elif text in (")", "]", "}"):
            depth -= 1
        elif text == "?" and depth == 0 and not colon:
            questions += 1
        elif text == ":" and depth == 0 and not colon:
            if questions == 0:
                colon = j
            questions -= 1
    return None


def mutants_of(file, source):
    """Every mutant of a source, in the order of their places."""
    tokens = tokens_of(source)
    partner = pairs_of(tokens)
    edits = set()  # (operator, begin, end, text)

    def edit(operator, first, last, text):
        edits.add((operator, tokens[first].begin, tokens[last].end, text))

    heads = set()  # tokens inside the head of a `for`
    for i, t in enumerate(tokens):
        if t.text == "for" and t.kind == "name" and i + 1 in partner:
            heads.update(range(i + 1, partner[i + 1]))

    for i, t in enumerate(tokens):
        before = source[t.begin - 1:t.begin]
        after = source[t.end:t.end + 1]
        if t.kind == "op" and t.text in BINARY and before.isspace() and after.isspace():
            for other in BINARY[t.text]:
                edit("operator", i, i, other)
            if t.text == "<" and i in heads and i + 2 < len(tokens) and tokens[i + 2].text == ";":
                edit("bound", i, i + 1, f"< {tokens[i + 1].text} - 1")
        elif t.kind == "op" and t.text == "!" and not after.isspace():
            edit("negation", i, i, "")
        elif t.kind == "op" and t.text in ("++", "--") and i not in heads:
            edit("operator", i, i, "--" if t.text == "++" else "++")
        elif t.kind == "op" and t.text == "-" and not after.isspace() and tokens[i - 1].kind == "op" and \
                tokens[i - 1].text not in (")", "]"):
            edit("sign", i, i, "")
        elif t.kind == "op" and t.text == "?":
            if parts := ternary(tokens, i):
                begin, colon, end = parts
                a = source[tokens[begin].begin:tokens[colon - 1].end]
                b = source[tokens[colon + 1].begin:tokens[end - 1].end]
                if a.strip() != b.strip() and "?" not in b:
                    edit("condition", begin, end - 1, f"{b} : {a}")
        elif t.kind == "number":
            size = tokens[i - 1].text == "[" and tokens[i - 2].kind == "name" and \
                (tokens[i - 3].kind == "name" or tokens[i - 3].text == ",") and tokens[i + 2].text in ("=", ";", ",")
            for other in numbers(t.text)[:1] if size else numbers(t.text):  # a larger array is no fault
                edit("constant", i, i, other)
        elif t.kind == "name" and t.text in NAMES and (t.text not in ("min", "max") or tokens[i - 1].text == "::") and \
                tokens[max(0, i - 3)].text != "numeric_limits" and not (t.text in ("min", "max") and ">" in tokens[i - 2].text):
            for other in NAMES[t.text]:
                edit("name", i, i, other)
        elif t.kind == "name" and t.text == "if" and tokens[i + 1].text == "(":
            last = partner[i + 1]
            inside = tokens[i + 2:last]
            simple = sum(x.text in COMPARISONS for x in inside) == 1 and not any(x.text in ("&&", "||") for x in inside)
            if not simple and not any(x.text == ";" for x in inside) and inside[0].text not in ("const", "auto", "!"):
                edit("condition", i + 2, last - 1, f"!({source[inside[0].begin:inside[-1].end]})")

    for first, last in blocks(tokens, partner):
        if deletable(tokens, first, last):
            edit("deletion", first, last - 1, "")
        elif tokens[first].text == "return" and last > first + 1:
            value = source[tokens[first + 1].begin:tokens[last - 1].end]
            if value not in ("{}", '""', "0", "true", "false") and not value.startswith("{"):
                edit("return", first + 1, last - 1, "{}")

    out = []
    for operator, begin, end, text in sorted(edits, key=lambda e: (e[1], e[2], e[3])):
        first = source.rfind("\n", 0, begin) + 1
        last = source.find("\n", end)
        flat = lambda s: " ".join(s.split())
        out.append(Mutant(file, operator, begin, end, text, source.count("\n", 0, begin) + 1, flat(source[first:last]),
                          flat(source[first:begin] + text + source[end:last])))
    return out
