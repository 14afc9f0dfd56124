"""The PyTorch of `seqgrad info --findings`: what it does differs from what mends it, and what mends a loss is right.
    python scripts/check/mends.py build/seqgrad"""
import math
import subprocess
import sys

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("skipped: no PyTorch")
    sys.exit(77)

MEAN = "(nll * mask).sum() / mask.sum()"  # what {loss} stands for there
SAME = {"mask:multiplied", "targets:cast", "targets:read_before_mask", "extremes:zero_times_infinity", "dtype:summed", "empty:zero", "empty:nan",
        "padding:width", "padding:left", "order:examples", "extremes:overflow", "micro:num_items_ignored", "micro:sum",
        "gradient:scaled", "gradient:sign", "gradient:zero", "size:steps", "size:examples", "size:other"}  # the value is right, on this batch or always


def table(text):
    out, current, last = {}, None, None
    for line in text.split("\n\n", 3)[3].splitlines():
        if not line.startswith(" "):
            current, last = out.setdefault(line, {}), None
        elif line[4:9] in ("does ", "mend "):
            last = line[4:8]
            current[last] = line[9:]
        elif last and line.startswith("         "):
            current[last] += "\n" + line[9:]
    return out


def batch():
    torch.manual_seed(1)
    b, t, v = 3, 5, 7
    logits = (2 * torch.randn(b, t, v, dtype=torch.float64)).requires_grad_()
    mask = torch.arange(t) < torch.tensor([5, 2, 3])[:, None]
    names = dict(torch=torch, F=F, math=math, logits=logits, mask=mask, targets=torch.randint(0, v, (b, t)),
                 weight=0.5 + torch.rand(b, t, dtype=torch.float64), example_weight=0.5 + torch.rand(b, dtype=torch.float64),
                 class_weight=0.5 + torch.rand(v, dtype=torch.float64), cap=torch.tensor(3.0), zeta=1e-2,
                 num_items=2 * mask.sum(), q=2 * torch.randn(b, t, v, dtype=torch.float64).softmax(-1), grad=None)
    names["probs"] = logits.softmax(-1)
    return names


def run(lines, names):
    *before, last = [part for line in lines.splitlines() for part in line.split("; ") if not line.startswith("#")]
    exec("\n".join(before), names)
    return eval(last, names)


def main():
    text = subprocess.run([sys.argv[1], "info", "--findings"], capture_output=True, text=True, check=True).stdout
    given = "\n".join(line.strip() for line in text.split("\n\n")[1].splitlines() if not line.strip().startswith("#"))
    right = run(given + "\n" + MEAN, batch())
    bad = 0
    for name, row in table(text).items():
        code, mend = row.get("does"), row.get("mend")
        if not mend or mend.startswith("return "):
            continue
        try:
            mended = run(given + "\n" + mend, batch())
            done = run(given + "\n" + code, batch()) if code else None
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}")
            bad += 1
            continue
        if mend == MEAN and not torch.allclose(mended, right):
            print(f"{name}: what mends it gives {mended}, not {right}")
            bad += 1
        scalars = done is not None and done.shape == mended.shape
        if scalars and name not in SAME and torch.allclose(done.to(mended), mended) and code != MEAN and name != "divisor:active":
            print(f"{name}: what it does gives what mends it: {mended}")
            bad += 1
    print("all mended" if not bad else f"{bad} are not")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
