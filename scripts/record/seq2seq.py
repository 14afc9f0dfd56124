#!/usr/bin/env python3
"""Records one training step of the GRU seq2seq model from PyTorch: weights, batch, loss and every gradient.

  seq2seq.py tests/golden        (needs torch, safetensors, numpy)
One file per attention kind and dtype; versions are in each file's metadata. Small sizes, packed lengths, no dropout.
"""
import sys, torch, torch.nn as nn, torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from safetensors.torch import save_file

V, E, H, B, S, T = 17, 5, 4, 3, 6, 5
D, C = 8, 8  # decoder width; encoder states (both directions), equal so that dot works


class Encoder(nn.Module):
    def __init__(s):
        super().__init__()
        s.emb = nn.Embedding(V, E, padding_idx=0)
        s.gru = nn.GRU(E, H, bidirectional=True, batch_first=True)
        s.bridge = nn.Linear(C, D)

    def forward(s, x, n):
        y, h = s.gru(pack_padded_sequence(s.emb(x), n, batch_first=True, enforce_sorted=False))
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.size(1))
        return y, torch.tanh(s.bridge(torch.cat((h[0], h[1]), 1)))


class Decoder(nn.Module):
    def __init__(s, kind):
        super().__init__()
        s.kind, s.emb = kind, nn.Embedding(V, E, padding_idx=0)
        if kind == "additive":
            s.cell = nn.GRUCell(E + C, D)
            s.key, s.query, s.v = nn.Linear(C, D, bias=False), nn.Linear(D, D), nn.Linear(D, 1, bias=False)
        else:
            s.gru = nn.GRU(E, D, batch_first=True)
            if kind == "general":
                s.general = nn.Linear(C, D, bias=False)
        if kind != "none":
            s.readout = nn.Linear(D + C, D)

    def forward(s, x, h, enc, pad):
        e = s.emb(x)
        if s.kind == "additive":
            keys, hs, cs = s.key(enc), [], []
            for t in range(x.size(1)):
                score = s.v(torch.tanh(s.query(h).unsqueeze(1) + keys)).squeeze(-1).masked_fill(pad, float("-inf"))
                c = torch.bmm(F.softmax(score, -1).unsqueeze(1), enc).squeeze(1)
                h = s.cell(torch.cat((e[:, t], c), -1), h)
                hs.append(h); cs.append(c)
            return torch.tanh(s.readout(torch.cat((torch.stack(hs, 1), torch.stack(cs, 1)), -1)))
        y = s.gru(e, h.unsqueeze(0))[0]
        if s.kind == "none":
            return y
        keys = s.general(enc) if s.kind == "general" else enc
        score = torch.bmm(y, keys.transpose(1, 2)).masked_fill(pad.unsqueeze(1), float("-inf"))
        return torch.tanh(s.readout(torch.cat((y, torch.bmm(F.softmax(score, -1), enc)), -1)))


class Seq2Seq(nn.Module):
    def __init__(s, kind):
        super().__init__()
        s.enc, s.dec, s.out = Encoder(), Decoder(kind), nn.Linear(D, V)


def side(g, lens, steps):
    x = torch.randint(4, V, (B, steps), generator=g)
    x[torch.arange(steps)[None] >= lens[:, None]] = 0
    return x


for kind in ("none", "dot", "general", "additive"):
    for dtype in (torch.float32, torch.float64):
        g = torch.Generator().manual_seed(7)
        torch.manual_seed(3)
        m = Seq2Seq(kind).to(dtype)
        sl, tl = torch.tensor([6, 3, 1]), torch.tensor([2, 5, 4])
        src, out = side(g, sl, S), side(g, tl, T)
        tin = torch.cat((torch.ones(B, 1, dtype=torch.long), out[:, :-1]), 1)
        enc, h = m.enc(src, sl)
        logits = m.out(m.dec(tin, h, enc, src == 0))
        loss = F.cross_entropy(logits.reshape(-1, V), out.reshape(-1), ignore_index=0)
        loss.backward()
        d = {"batch.source": src, "batch.source_lengths": sl, "batch.target_in": tin, "batch.target_out": out, "batch.target_lengths": tl, "loss": loss.detach().reshape(1)}
        for n, p in m.named_parameters():
            d["weight." + n], d["grad." + n] = p.detach().clone(), p.grad.clone()
        name = f"{sys.argv[1]}/seq2seq_{kind}_{'f32' if dtype == torch.float32 else 'f64'}.safetensors"
        save_file({k: v.contiguous() for k, v in d.items()}, name, metadata={"torch": torch.__version__, "recorded_by": "scripts/record/seq2seq.py"})
        print(name, float(loss))
