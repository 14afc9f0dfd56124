#!/usr/bin/env python3
"""Decoding in PyTorch, beside `seqgrad bench decode`: the weights, words and search of a run of Multi30k or of another text.

RUN's sizes are read from config.resolved.yaml, its words from *.vocab, its weights from checkpoints/best (or last). The
search is that of models/beam.h, as batches of sentences of similar length with keys projected once; finished sentences
leave the batch. Prints one JSON object; --out writes the ids of each translation and its log p, as bench decode does.

  torch_decode.py RUN --beam 5 --threads 2                 batches of 256
  torch_decode.py RUN --one-at-a-time --keep-heap          one sentence after another; glibc keeps its heap
  torch_decode.py RUN --compile                            the step of the decoder under torch.compile
"""
import argparse, json, math, statistics, struct, time

from run_directory import BOS, EOS, PAD, UNK, read_config, set_up, vocabulary

p = argparse.ArgumentParser()
p.add_argument("run")
p.add_argument("--beam", type=int, default=1)
p.add_argument("--rows", type=int, default=1600, help="sentences at the most")
p.add_argument("--batch", type=int, default=256)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--steps", type=int, default=3, help="counted repetitions")
p.add_argument("--warmup", type=int, default=1)
p.add_argument("--one-at-a-time", action="store_true")
p.add_argument("--keep-heap", action="store_true")
p.add_argument("--compile", action="store_true")
p.add_argument("--out", default="")
A = p.parse_args()
set_up(A.threads, A.keep_heap)
import torch, torch.nn as nn, torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
torch.set_num_threads(A.threads)
C = read_config(A.run, {
    "model.attention": "general", "model.encoder.layers": "1", "model.decoder.layers": "1", "model.input_feeding": "false",
    "model.encoder.bidirectional": "true", "data.vocabulary.kind": "word", "data.lowercase": "false", "checkpoint.average": "1"})
real, whole = lambda key: float(C[key]), lambda key: int(C[key])
ALPHA = real("decode.length_penalty")


def weights():
    best = f"{A.run}/checkpoints/best/model.safetensors"
    data = open(best, "rb").read()
    size, = struct.unpack("<Q", data[:8])
    for name, t in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            yield name, torch.frombuffer(bytearray(data[8 + size + begin:8 + size + end]), dtype=torch.float32).reshape(t["shape"])


class Model(nn.Module):
    def __init__(s):
        super().__init__()
        w = dict(weights())
        s.emb, s.dec_emb = nn.Embedding.from_pretrained(w["enc.emb.weight"]), nn.Embedding.from_pretrained(w["dec.emb.weight"])
        s.encoder = nn.GRU(w["enc.emb.weight"].shape[1], whole("model.encoder.hidden"), bidirectional=True, batch_first=True)
        s.encoder.load_state_dict({k.removeprefix("enc.gru."): v for k, v in w.items() if k.startswith("enc.gru.")})
        s.cell = nn.GRUCell(w["dec.emb.weight"].shape[1], whole("model.decoder.hidden"))
        s.cell.load_state_dict({k.removeprefix("dec.gru.").removesuffix("_l0"): v for k, v in w.items() if k.startswith("dec.gru.")})
        linear = lambda name: (w[f"{name}.weight"], w.get(f"{name}.bias"))
        s.bridge, s.general, s.readout = linear("enc.bridge"), linear("dec.general"), linear("dec.readout")
        s.out = (w.get("out.weight", w["dec.emb.weight"]), w["out.bias"])

    def encode(s, source, lengths):
        """States, keys and padding of the source, and the decoder's first state."""
        x = s.emb(source)
        if len(lengths) == 1:
            states, h = s.encoder(x)
        else:
            states, h = s.encoder(pack_padded_sequence(x, lengths, batch_first=True))
            states, _ = pad_packed_sequence(states, batch_first=True)
        padding = torch.zeros(source.shape, dtype=torch.float32).masked_fill_(source == PAD, float("-inf"))
        return states, F.linear(states, *s.general), padding, torch.tanh(F.linear(torch.cat((h[0], h[1]), 1), *s.bridge))

    def forward(s, words, h, states, keys, padding):
        """Logits [rows,V], of padding and bos -inf, the log of the sum of exponentials of all, and states of a step; `rows` are those of the source times as many hypotheses."""
        h = s.cell(s.dec_emb(words), h)
        y = h.view(states.shape[0], -1, h.shape[1])
        scores = torch.baddbmm(padding.unsqueeze(1), y, keys.transpose(1, 2))
        context = torch.bmm(F.softmax(scores, -1), states).flatten(0, 1)
        logits = F.linear(torch.tanh(F.linear(torch.cat((h, context), 1), *s.readout)), *s.out)
        total = logits.logsumexp(-1)
        logits[:, :EOS] = float("-inf")
        return logits, total, h


def greedy(step, encoded, limits):
    states, keys, padding, h = encoded
    count = len(limits)
    alive, said, log_p = torch.arange(count), torch.full((count, max(limits) + 1), EOS), torch.zeros(count)
    words, limit, going = torch.full((count,), BOS), torch.tensor(limits), torch.ones(count, dtype=torch.bool)
    for t in range(max(limits) + 1):
        logits, total, h = step(words, h, states, keys, padding)
        best, words = logits.max(-1)
        ends = limit[alive] <= t  # no room but for the end
        if ends.any():
            words = torch.where(ends, EOS, words)
            best = logits.gather(1, words.unsqueeze(1))[:, 0]
        log_p[alive] += torch.where(going, best - total, 0.0)
        said[alive, t] = words
        going &= words != EOS
        left = int(going.sum())
        if left == 0:
            break
        if left <= len(alive) * 3 // 4:  # the finished leave
            at = going.nonzero()[:, 0]
            going, alive, words, h, states, keys, padding = going[at], alive[at], words[at], h[at], states[at], keys[at], padding[at]
    out = []
    for row, score in zip(said.tolist(), log_p.tolist()):
        out.append((row[:row.index(EOS)], score))
    return out


def beam_search(step, encoded, limits, beam):
    """As models/beam.h: of the first `beam` continuations those that end are done; the best `beam` others go on."""
    states, keys, padding, h = encoded
    count, penalty = len(limits), lambda n: ((5 + n) / 6) ** ALPHA
    alive, limit = torch.arange(count), torch.tensor(limits)
    score = torch.full((count, beam), float("-inf"))
    score[:, 0] = 0
    words, h = torch.full((count * beam,), BOS), h.repeat_interleave(beam, 0)
    history = []  # of (sentences, parents, words)
    best = [(float("-inf"), 0.0, -1, 0)] * count  # score, log p, step, parent
    done = torch.zeros(count, dtype=torch.long)
    for t in range(max(limits) + 1):
        logits, total, h = step(words, h, states, keys, padding)
        ends = limit[alive] <= t
        if ends.any():
            kept = logits[:, EOS].clone()
            logits[ends.repeat_interleave(beam)] = float("-inf")
            logits[:, EOS] = kept
        top, ids = logits.topk(beam + 1, -1)
        all_scores = (score.unsqueeze(-1) + (top - total.unsqueeze(1)).view(-1, beam, beam + 1)).flatten(1)
        ranked, at = all_scores.sort(dim=-1, descending=True, stable=True)
        word, parent = ids.view(-1, beam * (beam + 1)).gather(1, at), at // (beam + 1)
        is_end = word == EOS
        finished = is_end[:, :beam] & (ranked[:, :beam] > float("-inf"))
        for i, k in finished.nonzero().tolist():
            s, value = int(alive[i]), float(ranked[i, k])
            if value / penalty(t + 1) > best[s][0]:
                best[s] = (value / penalty(t + 1), value, t, int(parent[i, k]))
        done[alive] += finished.sum(1)
        order = (is_end.long() * 1000 + torch.arange(is_end.shape[1])).argsort(-1)[:, :beam]  # the first that do not end
        score, words2, parents = ranked.gather(1, order), word.gather(1, order), parent.gather(1, order)
        score = score.masked_fill(is_end.gather(1, order), float("-inf"))
        history.append((alive, parents, words2))
        reach = score[:, 0] / torch.tensor([penalty(limits[s] + 1) for s in alive.tolist()])
        beaten = torch.tensor([best[s][0] for s in alive.tolist()]) >= reach
        goes_on = ~(beaten | (done[alive] >= beam) | (score[:, 0] == float("-inf")))
        left = int(goes_on.sum())
        if left == 0:
            break
        rows = (torch.arange(len(alive)).unsqueeze(1) * beam + parents)
        if left <= len(alive) * 3 // 4:
            keep = goes_on.nonzero()[:, 0]
            rows, words2, score = rows[keep], words2[keep], score[keep]
            alive, states, keys, padding = alive[keep], states[keep], keys[keep], padding[keep]
        else:
            score = score.masked_fill(~goes_on.unsqueeze(1), float("-inf"))
        h, words = h[rows.flatten()], words2.flatten()
    steps = [(dict(zip(a.tolist(), range(len(a)))), q.tolist(), w.tolist()) for a, q, w in history]
    out = []
    for s, (_, log_p, t, k) in enumerate(best):
        ids = []
        for rows, parents, words2 in reversed(steps[:t]):
            ids.append(words2[rows[s]][k])
            k = parents[rows[s]][k]
        out.append((ids[::-1], log_p))
    return out


@torch.inference_mode()
def translate(model, step, sources, batch):
    order, out = sorted(range(len(sources)), key=lambda i: -len(sources[i])), [None] * len(sources)
    for begin in range(0, len(order), batch):
        part = order[begin:begin + batch]
        lengths = [len(sources[i]) for i in part]
        encoded = model.encode(torch.tensor([sources[i] + [PAD] * (lengths[0] - len(sources[i])) for i in part]), lengths)
        limits = [math.ceil(real("decode.max_ratio") * n) + whole("decode.max_extra") for n in lengths]
        found = greedy(step, encoded, limits) if A.beam == 1 else beam_search(step, encoded, limits, A.beam)
        for i, translation in zip(part, found):
            out[i] = translation
    return out


def main():
    ids = {w: i for i, w in enumerate(vocabulary(A.run, "source"))}
    with open(C["data.test.src"], encoding="utf-8") as f:
        sources = [[ids.get(w, UNK) for w in line.split()] for line in f][:A.rows]
    model = Model().eval()
    step = torch.compile(model, dynamic=True) if A.compile else model
    total, sentence, found = [], [], []
    for i in range(A.warmup + A.steps):
        start = time.perf_counter()
        if A.one_at_a_time:
            found = []
            for source in sources:
                begin = time.perf_counter()
                found += translate(model, step, [source], 1)
                if i >= A.warmup:
                    sentence.append((time.perf_counter() - begin) * 1e3)
        else:
            found = translate(model, step, sources, A.batch)
        if i >= A.warmup:
            total.append((time.perf_counter() - start) * 1e3)
    if A.out:
        with open(A.out, "w", encoding="utf-8") as f:
            f.writelines("".join(f"{w} " for w in words) + f"{log_p:.4f}\n" for words, log_p in found)
    print(json.dumps(dict(what="torch_decode", torch=torch.__version__, threads=A.threads, beam=A.beam, one_at_a_time=A.one_at_a_time,
                          compiled=A.compile, sentences=len(sources), words=sum(len(w) + 1 for w, _ in found),
                          total_ms=dict(median=statistics.median(total), min=min(total), n=len(total)),
                          **(dict(sentence_ms=dict(median=statistics.median(sentence))) if sentence else {}))))


if __name__ == "__main__":
    main()
