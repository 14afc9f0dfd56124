"""What the peers of seqgrad read of its run directories, without torch, and how their processes are set up."""
import os, sys

PAD, BOS, EOS, UNK = range(4)


def set_up(threads, keep_heap):
    """Before torch is imported: all libraries get so many threads, and glibc keeps its heap, which it reads at the start."""
    want = dict(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_=str(1 << 34)) if keep_heap else {}
    if any(os.environ.get(k) != v for k, v in want.items()):
        os.environ.update(want)
        os.execv(sys.executable, [sys.executable] + sys.argv)
    for v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[v] = str(threads)


def read_config(run, known):
    """The keys of a run's resolved config, flat: {"model.encoder.hidden": "256"}. Exits where one of `known` has another value."""
    keys, parents = {}, []
    with open(f"{run}/config.resolved.yaml", encoding="utf-8") as lines:
        for line in lines:
            depth = (len(line) - len(line.lstrip())) // 2
            name, colon, value = line.strip().partition(":")
            if colon:
                parents[depth:] = [name]
                keys[".".join(parents)] = value.strip().strip('"')
    for key, value in known.items():
        if keys.get(key, value) not in (value, "null"):
            sys.exit(f"error: {key} is {keys[key]}; this script knows {value} only")
    return keys


def vocabulary(run, side):
    """The words of the "source" or "target" side, in the order of their ids."""
    escaped = {"\\\\": "\\", "\\s": " "}
    with open(f"{run}/{side}.vocab", encoding="utf-8") as file:
        words = file.read().split("\n")[3:-1]
    return words[:4] + [escaped.get(w, w) for w in words[4:]]
