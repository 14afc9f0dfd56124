#!/usr/bin/env python3
"""PyTorch's nn.GRU over packed sentences, forward and backward: the peer of `seqgrad bench gru --preset ref8k` (E=256,
H=512, B=64, lengths 20 to 30). Prints one JSON object.    torch_gru.py --threads 2 [--keep-heap]"""
import argparse, json, os, statistics, sys, time

p = argparse.ArgumentParser()
p.add_argument("--threads", type=int, default=2)
p.add_argument("--repeats", type=int, default=15)
p.add_argument("--keep-heap", action="store_true", help="glibc: no mmap for big blocks, no trim")
p.add_argument("--aten-capability", default="")
p.add_argument("--openblas-lib-dir", default="")
A = p.parse_args()
want = dict(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_=str(1 << 34)) if A.keep_heap else {}
if A.openblas_lib_dir:
    want["LD_LIBRARY_PATH"] = A.openblas_lib_dir
if A.aten_capability:
    want["ATEN_CPU_CAPABILITY"] = A.aten_capability
if any(os.environ.get(k) != v for k, v in want.items()):  # read at process start: start again
    os.environ.update(want)
    os.execv(sys.executable, [sys.executable] + sys.argv)
for v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[v] = str(A.threads)
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
torch.set_num_threads(A.threads)
torch.manual_seed(1)
B, T, E, H = 64, 30, 256, 512
lengths = torch.randint(20, T + 1, (B,))
lengths[0] = T
layer, x, upstream = torch.nn.GRU(E, H, batch_first=True), torch.randn(B, T, E, requires_grad=True), torch.randn(B, T, H)
forward, backward, total = [], [], []
for i in range(3 + A.repeats):
    x.grad = None
    layer.zero_grad(set_to_none=True)
    start = time.perf_counter()
    y, _ = layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    y, _ = pad_packed_sequence(y, batch_first=True, total_length=T)
    middle = time.perf_counter()
    y.backward(upstream)
    end = time.perf_counter()
    if i >= 3:
        forward.append(1e3 * (middle - start))
        backward.append(1e3 * (end - middle))
        total.append(1e3 * (end - start))
print(json.dumps(dict(what="torch_gru", torch=torch.__version__, threads=A.threads, total_ms=dict(median=statistics.median(total), n=len(total)),
                      forward_ms=statistics.median(forward), backward_ms=statistics.median(backward))))
