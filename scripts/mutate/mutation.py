"""Scripted mutation: how many small faults in the kernels of the loss, or in the parsers, do their tests notice?

Samples N mutants of the chosen files, puts each into a copy of the source (never the working tree), rebuilds the file,
links one small test binary and runs it, with sanitizers (address, undefined) in the mutated file. A mutant is killed by a
failing test, a crash, a sanitizer or the time limit. One that does not compile, or of which the optimiser makes the
original's code, is replaced by the next of the sample.

The sample is the N mutants whose hash with the seed is smallest: a change of one file leaves the others' mutants in it.
Results are kept in scripts/mutate/results-SET.jsonl while neither the mutated file nor the test file that killed it changed,
of a survivor while no test did, so that a change of a file costs that file's mutants; --fresh forgets them. Survivors that no test can tell from the original stand with the reason in scripts/mutate/equivalent.txt; the
score is printed with and without them, and the bar is for the first, which counts them as missed."""

import argparse
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from operators import mutants_of
from tree import ENVIRONMENT, HOME, Tree, fail
from turns import in_turns, work

SETS = {
    # name: the files, the test files of its binary (the beginnings of their names or paths), the bar in percent
    "loss": ([f"engine/loss/{stem}.cpp" for stem in ("row_loss", "probs_loss", "row_target", "live_rows", "divisors", "reduction",
                                                     "loss_call", "prediction", "sequence_loss", "options", "presets")] +
             [f"engine/loss/{stem}.h" for stem in ("linear_tiles", "row_loss", "row_result", "row_formulas", "probs_formulas", "row_report",
                                                   "order_free_sum")] +
             ["engine/ops/row_passes.cpp", "engine/ops/row_passes_simd.h"],
             ["test_loss", "test_row_passes", "test_check."], 95),
    "parsers": (["engine/config/codec.cpp", "engine/config/field.cpp", "engine/config/load.cpp", "engine/config/node.cpp",
                 "engine/config/problems.cpp", "engine/config/section.cpp", "engine/config/yaml.cpp", "engine/io/safetensors.cpp",
                 "engine/io/lines.cpp", "engine/data/parallel_text.cpp", "engine/data/vocabulary.cpp",
                 "engine/check/case.cpp", "engine/check/case_config.cpp", "engine/check/case_inputs.cpp",
                 "engine/check/inline_tensors.cpp"],
                ["test_config.", "test_config_files", "test_config_keys", "test_safetensors", "test_half_floats", "test_io", "test_data.",
                 "test_data_config", "test_odd_text", "test_fuzz", "tests/fuzz/", "test_case_", "test_check.", "test_loss_arrays", "test_which"], 85),
}
EQUIVALENT = Path(__file__).parent / "equivalent.txt"


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def sample(tree, files, seed):
    """All mutants, in the order in which they are drawn, each with its key."""
    drawn = []
    for file in files:
        source, times = tree.read(file), {}
        content = digest(source)
        for m in mutants_of(file, source):
            times[m.label] = n = times.get(m.label, 0) + 1
            drawn.append((digest(str(seed), m.label, str(n)), digest(content, m.label, str(n), str(m.begin)), m))
    return [(key, m) for _, key, m in sorted(drawn, key=lambda d: d[0])]


class Judges:
    """What a result depends on beside its mutant: the test file that killed it, or all of them."""

    def __init__(self, tree):
        support = [p.read_text() for p in sorted((tree.source / "tests/support").glob("*.h"))]
        self.one = {Path(f).stem: digest(tree.read(f), *support) for f in sorted(tree.tests)}
        self.all = digest(*self.one.values())

    def of(self, row):
        if row.get("outcome") in ("does not compile", "same code"):
            return ""
        return self.one.get(row["by"].split(":")[0], "gone") if row.get("outcome") == "killed" else self.all


def equivalents():
    """{label: reason} of the committed file: a label at the margin, its reason indented under it."""
    found, label = {}, None
    for number, line in enumerate(EQUIVALENT.read_text().splitlines() if EQUIVALENT.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line[0].isspace():
            label = line.strip()
            found[label] = ""
        elif label is None:
            fail(f"{EQUIVALENT.name}:{number}: a reason without a mutant")
        else:
            found[label] = (found[label] + " " + line.strip()).strip()
    for label, reason in found.items():
        if not reason:
            fail(f"{EQUIVALENT.name}: no reason under '{label}'")
    return found


def same_code(tree, mutant, slot):
    """Whether an optimising compiler, without sanitizers, makes the same object of the mutant: then it is the same."""
    objects = []
    for source, name in ((tree.read(mutant.file), "original"), (mutant.apply(tree.read(mutant.file)), "mutant")):
        (slot / mutant.file).write_text(source)
        target = slot / f"{name}.o"
        if not tree.compile_one(mutant.file, target, slot, [f"-I{slot}"], ["-O2"]):
            return False
        objects.append(target.read_bytes())
    return objects[0] == objects[1]


def reason(code, output):
    """What a failed run says first: the sanitizer, or the name of the test."""
    lines = output.splitlines()
    for line in lines:
        if "Sanitizer" in line or "runtime error" in line:
            return line.strip()
    rule = next((i for i, line in enumerate(lines) if line.startswith("-----")), len(lines))
    return lines[rule + 1] if rule + 1 < len(lines) else f"exit {code}"


def evaluate(state, mutant, slot):
    tree, limits = state
    if mutant is None:
        return {"times": timed(tree, HOME / "base" / "program")}
    begin = time.monotonic()
    result = {"label": mutant.label, "file": mutant.file, "line": mutant.line, "operator": mutant.operator}
    done = lambda outcome, by="": dict(result, outcome=outcome, by=by.replace(f"{HOME}/", ""))
    objects = tree.compile({mutant.file: mutant.apply(tree.read(mutant.file))}, slot)
    if objects is None or tree.link(objects, slot / "program").returncode:
        return done("does not compile")
    near = Path(mutant.file).parent.name  # its own folder's tests kill most
    for test, limit in sorted(limits, key=lambda t: tree.folder[t[0]] != near):
        code, output = run(tree, slot / "program", test, limit)
        if code != 0:
            return done("killed", f"{test}: {'time limit' if code is None else reason(code, output)}")
    if mutant.file.endswith(".cpp") and same_code(tree, mutant, slot):
        return done("same code")
    return done("survived")


def run(tree, program, test, limit):
    """(exit code or None after the time limit, output) of one test file's tests; stops at the first failing one. The limit
    is of the processor's time, which a busy machine does not use up; who waits for ever uses none, and gets ten times as
    long on the clock."""
    limited = lambda: resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 1))
    try:
        done = subprocess.run([program, "--abort", "-#", f"[#{test}]"], cwd=tree.source, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10 * limit, preexec_fn=limited)
        out_of_time = done.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
        return None if out_of_time else done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return None, ""


def timed(tree, program):
    """[(test file, seconds)] of the program without a mutant, the quick ones first: they kill most mutants."""
    times = []
    for test in (Path(file).stem for file in tree.tests if Path(file).stem.startswith("test_")):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code, output = run(tree, program, test, 600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if code != 0:
            print(output[-3000:], file=sys.stderr)
            fail(f"{test} fails without a mutant")
        times.append((test, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return sorted(times, key=lambda t: t[1])


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutate/mutation.sh", description=__doc__.split("\n\n")[0])
    parser.add_argument("set", nargs="?", choices=SETS, default="loss")
    parser.add_argument("-n", type=int, default=200, help="how many mutants (200)")
    parser.add_argument("--seed", type=int, default=1, help="which sample (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time (one a core)")
    parser.add_argument("--file", help="only files whose name contains this")
    parser.add_argument("--fresh", action="store_true", help="forget kept results")
    parser.add_argument("--list", action="store_true", help="print the sample and stop")
    arguments = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    begin = time.monotonic()

    patterns, tests, bar = SETS[arguments.set]
    tree = Tree(arguments.jobs)
    files = []
    for pattern in patterns:
        found = sorted(p.relative_to(tree.source).as_posix() for p in tree.source.glob(pattern))
        if not found:
            fail(f"there is no {pattern} any more; mend SETS in scripts/mutate/mutation.py")
        files += [f for f in found if not arguments.file or arguments.file in f]
    drawn = sample(tree, files, arguments.seed)
    print(f"{arguments.set}: {len(drawn)} possible mutants in {len(files)} files; sample of {arguments.n}, seed {arguments.seed}")
    if arguments.list:
        for _, m in drawn[:arguments.n]:
            print(f"  {m.line:4} {m.label}")
        return 0

    tree.prepare("tests/seqgrad_tests", tests)
    tree.folder = {Path(f).stem: Path(f).parent.name for f in tree.tests}
    judges = Judges(tree)
    base = HOME / "base"
    base.mkdir(exist_ok=True)
    linked = tree.link({}, base / "program")
    if linked.returncode:
        fail(linked.stderr[-2000:])

    log = Path(__file__).parent / f"results-{arguments.set}.jsonl"
    kept = {}
    for line in log.read_text().splitlines() if log.exists() and not arguments.fresh else []:
        row = json.loads(line)
        if row["judge"] == judges.of(row):
            kept[row["key"]] = row

    def keep(row):
        kept[row["key"]] = dict(row, judge=judges.of(row))
        log.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in kept.values()))

    sources = digest(judges.all, *(tree.read(f) for f in sorted(tree.commands) if not f.startswith("tests/")))
    passed = base / f"times-{sources}.json"
    if not passed.exists():  # do the tests pass without a mutant?
        for row in in_turns(__file__, (tree, None), [(sources, None)]):
            passed.write_text(json.dumps(row["times"]))
    times = json.loads(passed.read_text())
    print(f"{len(times)} test files, {sum(t for _, t in times):.1f} s", flush=True)
    limits = [(test, 10 + 5 * seconds) for test, seconds in times]

    results, at = [], 0
    valid = lambda: sum(r["outcome"] in ("killed", "survived") for r in results)
    while valid() < arguments.n and at < len(drawn):
        batch = drawn[at:at + arguments.n - valid()]
        at += len(batch)
        results += [kept[key] for key, _ in batch if key in kept]
        for row in in_turns(__file__, (tree, limits), [(key, m) for key, m in batch if key not in kept]):
            keep(row)
            results.append(row)
            if row["outcome"] == "survived":
                print(f"  survived: {row['line']}: {row['label']}", flush=True)
            if len(results) % 20 == 0:
                print(f"  {valid()} of {arguments.n} after {time.monotonic() - begin:.0f} s", flush=True)
    return report(arguments, results, bar, time.monotonic() - begin)


def report(arguments, results, bar, seconds):
    argued = equivalents()
    count = lambda outcome: sum(r["outcome"] == outcome for r in results)
    survivors = [r for r in results if r["outcome"] == "survived"]
    equal = [r for r in survivors if r["label"] in argued]
    for row in survivors:
        print(f"{'equivalent' if row['label'] in argued else 'SURVIVED'}  {row['line']}: {row['label']}")
        if row["label"] in argued:
            print(f"            {argued[row['label']]}")
    killed, same = count("killed"), count("same code")
    of = killed + len(survivors)
    score = 100 * killed / max(of, 1)
    without = 100 * killed / max(of - len(equal), 1)
    print(f"killed {killed} of {of} {arguments.set} mutants: {score:.1f} % ({without:.1f} % without {len(equal)} argued equivalents; "
          f"seed {arguments.seed}, {same} of the same code, {count('does not compile')} did not compile, {seconds:.0f} s)")
    return 0 if score >= bar and of >= arguments.n else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]:
        work(evaluate, lambda state: state[0].jobs)
    else:
        sys.exit(main())
