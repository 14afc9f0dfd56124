#!/usr/bin/env python3
"""The PyTorch side of whole_run.sh: trains the model of a seqgrad run directory on the same pairs, validates and tests it.

Sizes, dropout, loss, optimiser, schedule, vocabularies, validations and the number of updates come from RUN/config.resolved.yaml
and RUN/*.vocab, pairs from DATA/train.tsv, dev.tsv, test.tsv and those of further test sets (`seqgrad data --all`); batches are
made by the same rule (shuffle, sort by length within pools, cut, shuffle) from a shuffle of its own. Prints one JSON object;
`train_s` is the training loop alone: no import, no reading of text, no validation.

  torch_train.py RUN DATA --updates 200 --threads 2         PyTorch as installed
  torch_train.py RUN DATA --threads 2 --tuned --whole OUT   glibc keeps its heap, padding dropped, Adam fused (1.x: foreach);
                                                            validations with samples and checkpoints in OUT, the test at the end
"""
import argparse, glob, json, math, os, random, sys, time

from run_directory import BOS, EOS, PAD, UNK, read_config, set_up, vocabulary

p = argparse.ArgumentParser()
p.add_argument("run")
p.add_argument("data")
p.add_argument("--updates", type=int, default=0, help="stop after so many; 0: all that the run has")
p.add_argument("--threads", type=int, default=2)
p.add_argument("--tuned", action="store_true")
p.add_argument("--bf16", action="store_true", help="autocast to bfloat16 around forward and loss")
p.add_argument("--whole", default="", help="validate and test as the run does; checkpoints and samples go to this folder")
A = p.parse_args()
set_up(A.threads, A.tuned)
import torch, torch.nn as nn, torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
torch.set_num_threads(A.threads)
C = read_config(A.run, {
    "model.attention": "general", "model.encoder.layers": "1", "model.decoder.layers": "1", "model.input_feeding": "false",
    "model.encoder.bidirectional": "true", "model.dropout.variational": "false", "optim.name": "adam", "schedule.name": "cosine",
    "train.batch.by": "sentences", "train.accumulation": "1", "decode.beam": "1", "checkpoint.average": "1", "checkpoint.every": "null",
    "loss.preset": "token_mean"})
real, whole = lambda key: float(C[key]), lambda key: int(C[key])
torch.manual_seed(whole("seed"))
random.seed(whole("seed"))
if C["checkpoint.metric"] == "bleu":
    try:
        import sacrebleu
    except ImportError:
        sacrebleu = None
joint = {"word": " ", "char": ""}[C["data.vocabulary.kind"]]


def pairs(split):
    """(source ids, target ids, target text) of each pair."""
    with open(f"{A.data}/{split}.tsv", encoding="utf-8") as lines:
        sides = [line.rstrip("\n").split("\t")[:2] for line in lines]
    source, target = ({w: i for i, w in enumerate(words)} for words in (SOURCE, TARGET))
    units = lambda text: text.split() if joint else text
    return [([source.get(w, UNK) for w in units(s)], [target.get(w, UNK) for w in units(t)], t) for s, t in sides]


SOURCE, TARGET = vocabulary(A.run, "source"), vocabulary(A.run, "target")
up = lambda n: -(-n // whole("train.batch.bucket")) * whole("train.batch.bucket")


def padded(rows, width=None):
    width = width or up(max(map(len, rows)))
    return torch.tensor([r + [PAD] * (width - len(r)) for r in rows])


def epoch(data):
    """The batches of an epoch."""
    size, pool = whole("train.batch.size"), whole("train.batch.size") * whole("train.batch.pool")
    order = random.sample(data, len(data))
    for i in range(0, len(order), pool):
        order[i:i + pool] = sorted(order[i:i + pool], key=lambda pair: (up(len(pair[1]) + 1), up(len(pair[0]))))
    cut = [order[i:i + size] for i in range(0, len(order), size)]
    random.shuffle(cut)
    yield from map(batch_of, cut)


def batch_of(part):
    source, target = [p[0] for p in part], [p[1] for p in part]
    return padded(source), torch.tensor([len(s) for s in source]), padded([[BOS] + t for t in target]), padded([t + [EOS] for t in target])


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

    def loss(s, source, lengths, target_in, target_out, reduction="mean"):
        states, keys, padding, h = s.encode(source, lengths)
        x, y = s.decode(target_in, h, states, keys, padding)[0].flatten(0, 1), target_out.flatten()
        if A.tuned:
            live = (y != PAD).nonzero().squeeze(1)
            x, y = x.index_select(0, live), y.index_select(0, live)
        return F.cross_entropy(s.out(x), y, ignore_index=PAD, label_smoothing=real("loss.smoothing.epsilon"), reduction=reduction)


def rate(step, total):
    warmup, floor = whole("schedule.warmup"), real("schedule.floor")
    if step < warmup:
        return real("optim.lr") * step / warmup
    done = min(1, (step - 1 - warmup) / max(1, total - warmup))
    return real("optim.lr") * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def translate(model, sources):
    """Greedy, sorted by length, in batches from which finished sentences leave."""
    model.eval()
    order, out = sorted(range(len(sources)), key=lambda i: -len(sources[i])), [""] * len(sources)
    for begin in range(0, len(order), 256):
        part = order[begin:begin + 256]
        states, keys, padding, h = model.encode(padded([sources[i] for i in part]), torch.tensor([len(sources[i]) for i in part]))
        steps = int(real("decode.max_ratio") * len(sources[part[0]])) + whole("decode.max_extra")
        alive, words, said = torch.arange(len(part)), torch.full((len(part),), BOS), torch.full((len(part), steps), EOS)
        for t in range(steps):
            x, h = model.decode(words.unsqueeze(1), h, states, keys, padding)
            logits = model.out(x[:, 0])
            logits[:, [PAD, BOS]] = float("-inf")
            words = logits.argmax(-1)
            said[alive, t] = words
            going = (words != EOS).nonzero()[:, 0]
            if len(going) == 0:
                break
            if len(going) <= len(alive) * 3 // 4:
                alive, words, h, states, keys, padding = (x[going] for x in (alive, words, h, states, keys, padding))
        for i, row in zip(part, said.tolist()):
            out[i] = joint.join(TARGET[w] for w in (row[:row.index(EOS)] if EOS in row else row))
    return out


@torch.no_grad()
def evaluate(model, data):
    """Loss and scores of a split, and its translations."""
    model.eval()
    order, total = sorted(data, key=lambda pair: -len(pair[0])), 0.0
    for begin in range(0, len(order), 64):
        total += model.loss(*batch_of(order[begin:begin + 64]), reduction="sum").item()
    said = translate(model, [source for source, _, _ in data])
    scores = dict(loss=total / sum(len(t) + 1 for _, t, _ in data),
                  sequence_accuracy=sum(a == b[2] for a, b in zip(said, data)) / len(data))
    if C["checkpoint.metric"] == "bleu" and sacrebleu:
        scores["bleu"] = sacrebleu.corpus_bleu(said, [[t for _, _, t in data]], force=True).score
    return scores, said


def save(model, adam, step, name):
    path = f"{A.whole}/{name}.pt"
    torch.save(dict(model=model.state_dict(), optim=adam.state_dict(), step=step), path + ".part")
    os.replace(path + ".part", path)


class Validation:
    def __init__(s):
        os.makedirs(A.whole)
        s.dev, s.best, s.seconds = pairs("dev"), -math.inf, 0.0

    def __call__(s, model, adam, step):
        start = time.perf_counter()
        scores, said = evaluate(model, s.dev)
        print(f"step {step}  dev: {scores}", file=sys.stderr, flush=True)
        with open(f"{A.whole}/samples-{step}.txt", "w", encoding="utf-8") as f:
            f.writelines(f"{pair[2]}\n{text}\n\n" for pair, text in zip(s.dev[:3], said))
        metric = scores.get(C["checkpoint.metric"], scores["sequence_accuracy"]) if C["checkpoint.metric"] != "loss" else -scores["loss"]
        save(model, adam, step, "last")
        if metric > s.best:
            s.best = metric
            save(model, adam, step, "best")
        model.train()
        s.seconds += time.perf_counter() - start

    def test(s, model):
        """Of the best weights, on the test split and the further ones."""
        model.load_state_dict(torch.load(f"{A.whole}/best.pt")["model"])
        names = [os.path.basename(path)[:-4] for path in glob.glob(f"{A.data}/*.tsv")]
        return {name: evaluate(model, pairs(name))[0] for name in names if name not in ("train", "dev")}


def main():
    data, model = pairs("train"), Seq2Seq()
    per_epoch = -(-len(data) // whole("train.batch.size"))
    total = per_epoch * whole("train.epochs") if C["train.steps"] == "null" else whole("train.steps")
    updates = min(total, A.updates or total)
    options = {} if not A.tuned else dict(foreach=True) if torch.__version__ < "2" else dict(fused=True)
    adam = torch.optim.Adam(model.parameters(), lr=1, betas=(real("optim.beta1"), real("optim.beta2")), eps=real("optim.eps"), **options)
    validate = Validation() if A.whole else None
    step, start = 0, time.perf_counter()
    while step < updates:
        for batch in epoch(data):
            step += 1
            adam.param_groups[0]["lr"] = rate(step, total)
            adam.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=A.bf16):
                loss = model.loss(*batch)
            loss.backward()
            if C["optim.clip_norm"] != "null":
                nn.utils.clip_grad_norm_(model.parameters(), real("optim.clip_norm"))
            adam.step()
            if validate and (step % whole("train.validate_every") == 0 or step == total):
                validate(model, adam, step)
            if step == updates:
                break
    loss = loss.item()
    took = time.perf_counter() - start - (validate.seconds if validate else 0)
    print(json.dumps(dict(what="torch_train", torch=torch.__version__, threads=A.threads, tuned=A.tuned, bf16=A.bf16, params=sum(q.numel() for q in model.parameters()),
                          updates=updates, total=total, train_s=took, loss=loss, **(validate.test(model) if validate else {}))))


if __name__ == "__main__":
    main()
