#!/usr/bin/env python3
"""The PyTorch side of multi30k_torch.sh: trains the model of a seqgrad run directory on the same pairs, and translates.

Sizes, dropout, loss, optimiser, schedule, vocabularies and the number of updates come from RUN/config.resolved.yaml and
RUN/*.vocab; batches are made by the same rule (shuffle, sort by length within pools, cut, shuffle) from a shuffle of its
own. Prints one JSON object; `train_s` is the training loop alone: no import, no reading of text, no validation.

  torch_train.py RUN --updates 200 --threads 2                        PyTorch as installed
  torch_train.py RUN --threads 2 --tuned --translate OUT              glibc keeps its heap, padding dropped, Adam fused (1.x: foreach)
"""
import argparse, json, math, random, sys, time

from run_directory import BOS, EOS, PAD, UNK, read_config, set_up, vocabulary

p = argparse.ArgumentParser()
p.add_argument("run")
p.add_argument("--updates", type=int, default=0, help="stop after so many; 0: all that the run has")
p.add_argument("--threads", type=int, default=2)
p.add_argument("--tuned", action="store_true")
p.add_argument("--bf16", action="store_true", help="autocast to bfloat16 around forward and loss")
p.add_argument("--translate", default="", help="write greedy translations of the test source here")
A = p.parse_args()
set_up(A.threads, A.tuned)
import torch, torch.nn as nn, torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
torch.set_num_threads(A.threads)
C = read_config(A.run, {
    "model.attention": "general", "model.encoder.layers": "1", "model.decoder.layers": "1", "model.input_feeding": "false",
    "model.encoder.bidirectional": "true", "model.dropout.variational": "false", "optim.name": "adam", "schedule.name": "cosine",
    "train.batch.by": "sentences", "train.accumulation": "1", "data.vocabulary.kind": "word", "data.lowercase": "false"})
real, whole = lambda key: float(C[key]), lambda key: int(C[key])
torch.manual_seed(whole("seed"))
random.seed(whole("seed"))


def pairs(split, longest=10**9):
    sides = []
    for side, ids in (("src", {w: i for i, w in enumerate(SOURCE)}), ("trg", {w: i for i, w in enumerate(TARGET)})):
        sides.append([[ids.get(w, UNK) for w in line.split()] for line in open(C[f"data.{split}.{side}"], encoding="utf-8")])
    return [(s, t) for s, t in zip(*sides, strict=True) if 0 < len(s) <= longest and 0 < len(t) <= longest]


SOURCE, TARGET = vocabulary(A.run, "source"), vocabulary(A.run, "target")
up = lambda n: -(-n // whole("train.batch.bucket")) * whole("train.batch.bucket")


def padded(rows, width=None):
    width = width or up(max(map(len, rows)))
    return torch.tensor([r + [PAD] * (width - len(r)) for r in rows])


def epoch(data):
    """Batches of an epoch: source, its lengths, decoder input, targets."""
    size, pool = whole("train.batch.size"), whole("train.batch.size") * whole("train.batch.pool")
    order = random.sample(data, len(data))
    for i in range(0, len(order), pool):
        order[i:i + pool] = sorted(order[i:i + pool], key=lambda st: (up(len(st[1]) + 1), up(len(st[0]))))
    cut = [order[i:i + size] for i in range(0, len(order), size)]
    random.shuffle(cut)
    for batch in cut:
        source, target = [s for s, _ in batch], [t for _, t in batch]
        yield padded(source), torch.tensor([len(s) for s in source]), padded([[BOS] + t for t in target]), padded([t + [EOS] for t in target])


class Seq2Seq(nn.Module):
    def __init__(s):
        super().__init__()
        e, h, d = whole("model.embedding"), whole("model.encoder.hidden"), whole("model.decoder.hidden")
        width = d if C.get("model.readout", "null") == "null" else whole("model.readout")
        s.drop_embedding, s.drop_hidden = nn.Dropout(real("model.dropout.embedding")), nn.Dropout(real("model.dropout.hidden"))
        s.source, s.target = nn.Embedding(len(SOURCE), e, padding_idx=PAD), nn.Embedding(len(TARGET), e, padding_idx=PAD)
        s.encoder, s.bridge = nn.GRU(e, h, bidirectional=True, batch_first=True), nn.Linear(2 * h, d)
        s.decoder, s.general, s.readout = nn.GRU(e, d, batch_first=True), nn.Linear(2 * h, d, bias=False), nn.Linear(d + 2 * h, width)
        s.out = nn.Linear(width, len(TARGET))
        if C["model.tied_embeddings"] == "true":
            s.out.weight = s.target.weight

    def encode(s, source, lengths):
        x = pack_padded_sequence(s.drop_embedding(s.source(source)), lengths, batch_first=True, enforce_sorted=False)
        states, h = s.encoder(x)
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=source.size(1))
        return states, s.general(states), source == PAD, torch.tanh(s.bridge(torch.cat((h[0], h[1]), 1)))

    def decode(s, words, h, states, keys, padding):
        """Readout of each target position, and the last state."""
        y, h = s.decoder(s.drop_embedding(s.target(words)), h.unsqueeze(0))
        scores = torch.bmm(y, keys.transpose(1, 2)).masked_fill(padding.unsqueeze(1), float("-inf"))
        context = torch.bmm(F.softmax(scores, -1), states)
        return s.drop_hidden(torch.tanh(s.readout(torch.cat((y, context), -1)))), h[0]

    def loss(s, source, lengths, target_in, target_out):
        states, keys, padding, h = s.encode(source, lengths)
        x, y = s.decode(target_in, h, states, keys, padding)[0].flatten(0, 1), target_out.flatten()
        if A.tuned:
            live = (y != PAD).nonzero().squeeze(1)
            x, y = x.index_select(0, live), y.index_select(0, live)
        return F.cross_entropy(s.out(x), y, ignore_index=PAD, label_smoothing=real("loss.smoothing.epsilon"))


def rate(step, total):
    warmup, floor = whole("schedule.warmup"), real("schedule.floor")
    if step < warmup:
        return real("optim.lr") * step / warmup
    done = min(1, (step - 1 - warmup) / max(1, total - warmup))
    return real("optim.lr") * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def translate(model, sources):
    model.eval()
    order, out = sorted(range(len(sources)), key=lambda i: -len(sources[i])), [""] * len(sources)
    for begin in range(0, len(order), 100):
        part = order[begin:begin + 100]
        states, keys, padding, h = model.encode(padded([sources[i] for i in part]), torch.tensor([len(sources[i]) for i in part]))
        words, done, said = torch.full((len(part),), BOS), torch.zeros(len(part), dtype=torch.bool), []
        for _ in range(int(real("decode.max_ratio") * len(sources[part[0]])) + whole("decode.max_extra")):
            x, h = model.decode(words.unsqueeze(1), h, states, keys, padding)
            logits = model.out(x[:, 0])
            logits[:, [PAD, BOS]] = float("-inf")
            words = logits.argmax(-1)
            said.append(words)
            done |= words == EOS
            if done.all():
                break
        for i, row in zip(part, torch.stack(said, 1).tolist()):
            out[i] = " ".join(TARGET[w] for w in (row[:row.index(EOS)] if EOS in row else row))
    return out


def main():
    data, model = pairs("train", whole("data.max_length")), Seq2Seq()
    per_epoch = -(-len(data) // whole("train.batch.size"))
    total = per_epoch * whole("train.epochs") if C["train.steps"] == "null" else whole("train.steps")
    updates = min(total, A.updates or total)
    options = {} if not A.tuned else dict(foreach=True) if torch.__version__ < "2" else dict(fused=True)
    adam = torch.optim.Adam(model.parameters(), lr=1, betas=(real("optim.beta1"), real("optim.beta2")), eps=real("optim.eps"), **options)
    step, positions, start = 0, 0, time.perf_counter()
    while step < updates:
        for batch in epoch(data):
            step += 1
            adam.param_groups[0]["lr"] = rate(step, total)
            adam.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=A.bf16):
                loss = model.loss(*batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), real("optim.clip_norm"))
            adam.step()
            positions += batch[3].numel()
            if step == updates:
                break
            if step % 500 == 0:
                print(f"update {step}/{updates}, loss {loss.item():.3f}, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    loss = loss.item()
    took = time.perf_counter() - start
    if A.translate:
        ids = {w: i for i, w in enumerate(SOURCE)}
        with open(C["data.test.src"], encoding="utf-8") as f:
            sources = [[ids.get(w, UNK) for w in line.split()] for line in f]
        with open(A.translate, "w", encoding="utf-8") as f:
            f.writelines(line + "\n" for line in translate(model, sources))
    print(json.dumps(dict(what="torch_train", torch=torch.__version__, threads=A.threads, tuned=A.tuned, bf16=A.bf16, params=sum(q.numel() for q in model.parameters()),
                          updates=updates, total=total, target_positions=positions, train_s=took, loss=loss)))


if __name__ == "__main__":
    main()
