#!/usr/bin/env python3
"""How easy the code is to follow, in numbers: one line a measure, and below it what makes it up.

  scripts/check/measures.sh [TREE]      (default: this tree; exit 1 when a walk or the list of globals of engine/README.md
                                         does not hold, a function is longer than 50 lines, or
                                         there are more than 8 globals or than 5 jumps in a walk)

Lines: not blank, of .h .cpp .cu .cuh in engine, models and apps. Functions: from the line of the body's `{` to its `}` in
code as clang-format leaves it. Globals: variables that live as long as a thread or the process and change after main has
begun. Tables that files register themselves in before main, and nothing changes later, are none: slots of functions
(Kernel, backends, the system calls that tests put failing ones in place of), and what is called `all` or `files` in a
file that defines a register_… or install_…. Each global has a row in engine/README.md that says why it is one. Walks: the numbered lists of engine/README.md whose items begin
with `FILE: FUNCTION`, or `FILE: FUNCTION`, in the slot `SLOT`; each function has to be defined in its file, and that file to
name the next function, or the slot that it fills."""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
LONGEST = 50  # lines of a function
MOST_GLOBALS, MOST_JUMPS = 8, 5
SLOTS = re.compile(r"\bKernel<|\bSystemCalls system_calls|\bbackends\[")
REGISTRY = re.compile(r"\b(std::(map|vector)<.*> (all|files);$|files\[)")  # in a file that has a REGISTERS
REGISTERS = re.compile(r"^(static )?bool (register|install)_\w+\(", re.M)


def sources():
    for folder in ("engine", "models", "apps"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in (".h", ".cpp", ".cu", ".cuh"):
                yield file, file.read_text().splitlines()


def opens_function(lines, n):
    """Whether line n ends with the `{` of a function's body."""
    line = lines[n]
    if not line.endswith("{") or re.match(r"\s*(namespace|struct|class|union|enum|extern|if|for|while|switch|else|do|try|\} )", line):
        return False
    head = line
    while head.count(")") > head.count("(") and n > 0:  # parameters on several lines
        n -= 1
        head = lines[n] + " " + head
    return "(" in head and not re.search(r"(=|return|\[[^\]]*\]\s*(\([^)]*\))?)\s*\{$", head) and "[&" not in head and "[=" not in head


def functions():
    """(lines, "file:line") of each function at namespace scope or in a class there."""
    for file, lines in sources():
        for n, line in enumerate(lines):
            if opens_function(lines, n):
                first = n
                while lines[first].count(")") > lines[first].count("(") and first > 0:
                    first -= 1
                indent = len(lines[first]) - len(lines[first].lstrip())
                if indent > 2:
                    continue
                end = next((m for m in range(n + 1, len(lines)) if lines[m] == " " * indent + "}"), n)
                yield end - n + 1, f"{file.relative_to(ROOT)}:{first + 1}"


def is_constant(declaration):
    """Whether the variable itself is: a pointer that points to nothing else later, a reference to what is constant."""
    head = re.split(r"[={]", declaration)[0]
    return bool(re.search(r"\bconstexpr\b|[*&]\s*const\b", head) or (re.search(r"\bconst\b", head) and not re.search(r"\*|<[^>]*\bconst\b", head)))


def global_variables():
    """(file, name, line) of each."""
    for file, lines in sources():
        registers = REGISTERS.search("\n".join(lines))
        for n, line in enumerate(lines, 1):
            text = line.split("//")[0].rstrip()
            if SLOTS.search(text) or (registers and REGISTRY.search(text)) or is_constant(text) or text.count(")") > text.count("("):
                continue
            found = re.search(r"\bthread_local\b", text) or \
                re.match(r"\s+(inline |constinit )*static (?!assert|_)[\w:<>,\s*&]+ [\w]+( =|;|\{|\[)", text) and "(" not in text.split("=")[0] or \
                re.match(r"\s+(inline |constinit )*static struct (\w+ )?\{$", text) or \
                re.match(r"\} [\w]+;$", text) and opened_at_namespace_scope(lines, n - 1) or \
                re.match(r"(inline |static |constinit )*(?!using|namespace|template|struct|class|enum|union|extern|return|friend|typedef|#|public|private|goto|case|default)[\w:]+(<[^;={]*>)?[ *&]+[\w]+( = [^;]*;|;|\{[^}]*\};)$", text)
            if found:
                name = text if not text.endswith("struct {") else next((t for t in lines[n:] if re.match(r"\s*\} \w+;$", t)), text)
                name = re.search(r"(\w+)(\[\w*\])?\s*(=.*|;|\{.*)$", name)
                yield f"{file.relative_to(ROOT)}", name[1] if name else "?", n


def opened_at_namespace_scope(lines, end):
    """Whether the block that closes on line `end` is a struct without a type's name: what is behind it is a variable."""
    start = next((n for n in range(end - 1, -1, -1) if lines[n] and not lines[n].startswith((" ", "public", "private"))), end)
    return bool(re.match(r"(static |inline |constinit )*struct \{$", lines[start]))


def listed_globals():
    """(file, name) of each row of the table in engine/README.md."""
    return set(re.findall(r"^\| `([\w./]+): (\w+)` \|", (ROOT / "engine/README.md").read_text(), re.M))


def walks():
    """(title, [(file, function, what the step before names)]) of engine/README.md."""
    readme = ROOT / "engine/README.md"
    title, steps = "", []
    for line in readme.read_text().splitlines() if readme.exists() else []:
        if line.startswith("#"):
            if steps:
                yield title, steps
            title, steps = line.lstrip("# "), []
        elif item := re.match(r"\d+\. `([\w./]+): ([\w:~]+)`(?:, in the slot `(\w+)`)?", line):
            steps.append((item[1], item[2], item[3] or item[2]))
    if steps:
        yield title, steps


def walk_problems(steps):
    for (file, function, _), (_, _, following) in zip(steps, steps[1:] + [("", "", "")]):
        path = ROOT / file
        text = path.read_text() if path.exists() else ""
        name = function.split("::")[-1]
        if not re.search(rf"^\S.*\b{re.escape(name)}\(.*[^;]$", text, re.M):  # a definition begins its line
            yield f"{file} defines no {function}"
        elif following and not re.search(rf"\b{re.escape(following.split('::')[-1])}\b", text):
            yield f"{file}: {function} does not name {following}"


def main():
    files = list(sources())
    print(f"lines: {sum(bool(line.strip()) for _, lines in files for line in lines):,} in {len(files)} files")
    long = sorted((f for f in functions() if f[0] > LONGEST), reverse=True)
    print(f"functions over {LONGEST} lines: {len(long)}")
    for count, where in long:
        print(f"  {count:4} {where}")
    found = list(global_variables())
    unlisted = {(f, name) for f, name, _ in found} ^ listed_globals()
    print(f"thread_local variables and mutable globals: {len(found)}")
    for file, name, line in found:
        print(f"  {file}:{line}: {name}")
    for file, name in sorted(unlisted):
        print(f"  engine/README.md and the code disagree about {file}: {name}")
    bad = len(unlisted) + len(long) + (len(found) > MOST_GLOBALS)
    jumps = []
    for title, steps in walks():
        problems = list(walk_problems(steps))
        jumps.append(len(steps) - 1)
        bad += len(problems) + (jumps[-1] > MOST_JUMPS)
        print(f"walk '{title}': {len(steps) - 1} jumps" + "".join(f"\n  {p}" for p in problems))
    print(f"{len(long)} functions over {LONGEST} lines, {len(found)} globals, walks of {' and '.join(map(str, jumps))} jumps")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
