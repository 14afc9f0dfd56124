"""Planted faults: those of faults.py, each built into a copy of the source, must fail a recorded case.

Then the faulty program plays somebody else's framework: of the cases that it fails it records its own value or gradient,
and the sound program checks that record. Prints for each fault how many cases of tests/cases fail, one of them, and the line
by which --which, in the failing check, names the cause. Exit 1 when a fault passes every case, does not apply any more, or
when --which names fewer than --named.

--wide FOLDER has cases of wide vocabularies, FOLDER/5000_f32/… (scripts/record/wide_losses.py): there a fault must fail one
of each sub-folder too, unless faults.py says that its effect lies below that arithmetic's rounding."""

import argparse
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

from faults import FAULTS, applied
from tree import HOME, ROOT, Tree, fail
from turns import in_turns, work

CASES = "tests/cases"
MOST_RECORDED = 24  # of a fault's failing cases
WIDE = "SEQGRAD_WIDE_CASES"  # how the workers know of --wide


def check(tree, program, report, cases=CASES):
    """(exit code, {case: what its check says}) of `seqgrad check` over the recorded cases."""
    report.unlink(missing_ok=True)
    done = subprocess.run([program, "check", cases, "--junit", report], cwd=tree.source, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300)
    failing = {}
    if report.exists():
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            for problem in (*case.iter("failure"), *case.iter("error")):
                failing[f"{case.get('classname')}/{case.get('name')}".removeprefix(f"{cases}/")] = problem.text or ""
    return done.returncode, failing, done.stdout


def evaluate(tree, fault, slot):
    objects = tree.compile(applied(fault, tree.read), slot, sanitize=False)
    if objects is None:
        return {"problem": "does not compile; mend scripts/mutate/faults.py"}
    linked = tree.link(objects, slot / "seqgrad", sanitize=False)
    if linked.returncode:
        return {"problem": "does not link"}
    try:
        code, failing, output = check(tree, slot / "seqgrad", slot / "junit.xml")
    except subprocess.TimeoutExpired:
        return {"problem": "the check did not end"}
    if code not in (0, 1):
        return {"problem": f"check ended with {code}: {output.strip()[-300:]}"}
    row = {"failing": list(failing), "which": "", "case": next(iter(failing), "")}
    if wide := os.environ.get(WIDE):
        row["wide"] = wide_failing(tree, slot / "seqgrad", slot / "junit.xml", wide)
    if fault.names:
        # float64 first: its digits leave the least room for other explanations
        for case in sorted(failing, key=lambda c: "f64" not in c)[:MOST_RECORDED]:
            for line in checked_record(tree, slot, case):
                if re.match(r"which: \S.* = ", line) and re.search(fault.names, line):  # a match: near misses are indented
                    return dict(row, which=line, case=case)
    return row


def wide_failing(tree, program, report, wide):
    """{sub-folder: a case of it that fails, or ""}."""
    failing = {}
    for folder in sorted(p for p in Path(wide).iterdir() if p.is_dir()):
        _, cases, _ = check(tree, program, report, str(folder))
        failing[folder.name] = next(iter(cases), "")
    return failing


def wide_problems(fault, wide):
    """Where a fault passes and should not, or fails although faults.py lists it as too small."""
    expected = {name: bool(re.fullmatch(fault.below, name)) if fault.below else False for name in wide}
    return [f"passes all of {name}" if not case else f"fails {name}/{case}, and is listed as below its rounding"
            for name, case in wide.items() if bool(case) == expected[name]]


def checked_record(tree, slot, case):
    """What the sound program says to a case whose gold the faulty one computed: its value, or else its gradient."""
    source, gold, copy = tree.source / CASES / case, slot / "gold.safetensors", slot / "record"
    gold.unlink(missing_ok=True)
    subprocess.run([slot / "seqgrad", "loss", source, "--out", gold], capture_output=True, timeout=60)
    if not gold.exists() or not (source / "tensors.safetensors").exists():
        return []
    inputs = {n: t for n, t in read_tensors(source / "tensors.safetensors").items() if not n.startswith(("gold.", "peer."))}
    values = read_tensors(gold)
    said = []
    for chosen in (("value",), [n for n in values if n.startswith("d_")]):
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        kept = re.sub(r"^(expect|tolerance|peer_differs):.*\n([ -].*\n)*", "", (source / "case.yaml").read_text(), flags=re.M)
        (copy / "case.yaml").write_text(kept)
        write_tensors(copy / "tensors.safetensors", inputs | {f"gold.{n}": values[n] for n in chosen if n in values})
        done = subprocess.run([tree.build / "seqgrad", "check", copy, "--dtype", "f64"], capture_output=True, text=True,
                              errors="replace", timeout=60)
        said += [line.strip() for line in done.stdout.splitlines()]
    return said


def read_tensors(file):
    """{name: (dtype, shape, bytes)} of a safetensors file."""
    data = file.read_bytes()
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    part = lambda t: data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]]
    return {name: (t["dtype"], t["shape"], part(t)) for name, t in header.items()}


def write_tensors(file, tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutate/planted_faults.sh", description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="only these faults")
    parser.add_argument("--dry", action="store_true", help="only see whether every fault applies to the source")
    parser.add_argument("--named", type=int, default=12, help="how many faults --which must name (12)")
    parser.add_argument("--wide", help="a folder of cases of wide vocabularies")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="faults at a time (one a core)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    begin = time.monotonic()
    chosen = [f for f in FAULTS if not arguments.names or f.name in arguments.names]
    if unknown := set(arguments.names) - {f.name for f in FAULTS}:
        fail(f"no fault {', '.join(sorted(unknown))}; there are {', '.join(f.name for f in FAULTS)}")
    problems = []
    for fault in chosen:
        try:
            applied(fault, lambda file: (ROOT / file).read_text())
        except (ValueError, OSError) as problem:
            problems.append(str(problem))
    if problems:
        fail("\n       ".join(problems))
    if arguments.dry:
        print(f"{len(chosen)} faults apply")
        return 0

    if arguments.wide:
        os.environ[WIDE] = str(Path(arguments.wide).resolve())
    tree = Tree(arguments.jobs)
    tree.prepare("seqgrad")
    code, failing, output = check(tree, tree.build / "seqgrad", HOME / "junit.xml")
    if code != 0:
        print(output[-3000:], file=sys.stderr)
        fail(f"{len(failing)} cases fail without a fault")
    if arguments.wide and any(wide_failing(tree, tree.build / "seqgrad", HOME / "junit.xml", arguments.wide).values()):
        fail("a wide case fails without a fault")
    by_name = {f.name: f for f in chosen}
    rows = {}
    for row in in_turns(__file__, tree, list(by_name.items())):
        rows[row["key"]] = row
    bad = named = small = 0
    for fault in chosen:
        row = rows[fault.name]
        print(f"{fault.name}: {fault.about}")
        if problem := row.get("problem"):
            bad += 1
            print(f"    PROBLEM: {problem}")
            continue
        missed = wide_problems(fault, row.get("wide", {}))
        bad += not row["failing"] or bool(missed)
        below = [name for name, case in row.get("wide", {}).items() if not case]
        small += len(below)
        named += bool(row["which"])
        print(f"    {len(row['failing'])} cases fail" + (f", e.g. {row['case']}" if row["failing"] else ": NOT NOTICED"))
        if below and not missed:
            print(f"    below the rounding of {', '.join(below)}: {fault.why}")
        for problem in missed:
            print(f"    PROBLEM: {problem}")
        if row["which"]:
            print(f"    {row['which']}")
        elif fault.names:
            print(f"    --which does not say /{fault.names}/")
    wanted = 0 if arguments.names else arguments.named
    print(f"{len(chosen) - bad} of {len(chosen)} faults fail a case; --which names {named} ({time.monotonic() - begin:.0f} s)")
    if arguments.wide:
        found = f"{len(chosen) - bad} found" if bad else "all found"
        print(f"{len(chosen)} planted faults, {found}, {small} below rounding")
    return 0 if bad == 0 and named >= wanted else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]:
        work(evaluate, lambda tree: tree.jobs)
    else:
        sys.exit(main())
