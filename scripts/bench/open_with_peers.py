"""What scripts/bench/open_with_peers.sh runs: one run directory, three other readers.

Exit 1 when a reader sees other values than metrics.jsonl and metrics.csv tell, or cannot read a file.
"""
import csv
import glob
import json
import math
import pathlib
import subprocess
import sys

import numpy
import safetensors
import safetensors.numpy
import tensorboard
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

run = pathlib.Path(sys.argv[1])
problems = []


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


# What the run itself tells.
rows = [json.loads(line) for line in open(run / "metrics.jsonl")]
table = list(csv.DictReader(open(run / "metrics.csv", newline="")))
if [{k: v for k, v in row.items() if v is not None} for row in rows] != [
        {k: v if k == "kind" else json.loads(v) for k, v in row.items() if v != ""} for row in table]:
    problems.append("metrics.csv tells other values than metrics.jsonl")

for folder in sorted({row["kind"] for row in rows}):
    events = EventAccumulator(str(run / "tb" / folder), size_guidance={SCALARS: 0})
    events.Reload()
    expected = {}
    for row in rows:
        if row["kind"] == folder:
            for tag, value in row.items():
                if tag not in ("kind", "step"):
                    expected.setdefault(tag, []).append((row["step"], math.nan if value is None else value))
    found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    if sorted(found) != sorted(expected):
        problems.append(f"{folder}: tags {sorted(found)}, expected {sorted(expected)}")
    points = 0
    for tag in sorted(set(found) & set(expected)):
        a, b = found[tag], expected[tag]
        points += len(a)
        # null stands for NaN and both infinities
        if len(a) != len(b) or any(s != t or not (same(x, float(numpy.float32(y))) or (math.isnan(y) and math.isinf(x)))
                                   for (s, x), (t, y) in zip(a, b)):
            problems.append(f"{folder}/{tag}: {a[:3]}... is not {b[:3]}...")
    print(f"EventAccumulator {tensorboard.__version__}: {folder}: tags {', '.join(sorted(found))}; {points} points")

records = 0
for path in sorted(glob.glob(str(run / "tb/*/events.out.tfevents.*"))):
    reader = PyRecordReader_New(path)  # checks both checksums of each record
    while True:
        try:
            reader.GetNext()
        except Exception as end:  # at the end, or where a killed process left half a record
            if "checksum" in str(end).lower() or "corrupt" in str(end).lower():
                problems.append(f"{path}: {end}")
            break
        bytes_of = reader.record()
        decoded = subprocess.run(["protoc", "--decode_raw"], input=bytes_of, capture_output=True, check=False)
        if decoded.returncode:
            problems.append(f"{path}: protoc: {decoded.stderr.decode()}")
        records += 1
        last = decoded.stdout.decode()
print(f"protoc --decode_raw: {records} records in {len(glob.glob(str(run / 'tb/*/*')))} files; the last:")
print("  " + " ".join(last.split())[:300])

for path in sorted(run.glob("checkpoints/step-*/*.safetensors")):
    tensors = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
    total = sum(t.size for t in tensors.values())
    bad = [name for name, t in tensors.items() if not numpy.isfinite(t).all()]
    problems += [f"{path}: {name} is not finite" for name in bad]
    print(f"safetensors {safetensors.__version__}: {path.parent.name}/{path.name}: {len(tensors)} tensors, {total} numbers, "
          f"{len(metadata)} entries of metadata")

for problem in problems:
    print("error:", problem)
print(f"events: {records} records, every tag and value as in metrics.jsonl; weights opened; {len(problems)} problems")
sys.exit(1 if problems else 0)
