#!/usr/bin/env python3
"""Records one training step of the GRU seq2seq model from PyTorch: weights, batch, loss and every gradient.

  seq2seq.py tests/golden        (needs torch, safetensors, numpy)
Also the weights alone, as a state dictionary of the "general" model under DataParallel's names and of an nn.GRU.
One file per variant and dtype; versions are in each file's metadata. Small sizes, packed lengths, no dropout.
"""
import sys, torch, torch.nn as nn, torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from safetensors.torch import save_file

V, H, B, S, T = 17, 4, 3, 6, 5
D, C = 8, 8  # decoder width; encoder states (both directions), equal so that dot works


class Encoder(nn.Module):
    def __init__(s, width, layers):
        super().__init__()
        s.emb = nn.Embedding(V, width, padding_idx=0)
        s.gru = nn.GRU(width, H, num_layers=layers, bidirectional=True, batch_first=True)
        s.bridge = nn.Linear(C, D)

    def forward(s, x, n):
        y, h = s.gru(pack_padded_sequence(s.emb(x), n, batch_first=True, enforce_sorted=False))
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.size(1))
        return y, torch.tanh(s.bridge(torch.cat((h[-2], h[-1]), 1)))


class Decoder(nn.Module):
    def __init__(s, kind, width, layers, feeding, readout):
        super().__init__()
        s.kind, s.layers, s.feeding, s.emb = kind, layers, feeding, nn.Embedding(V, width, padding_idx=0)
        if kind == "additive" or feeding:  # a cell, and the layers above it
            s.cell = nn.GRUCell(width + (readout if feeding else C), D)
            if layers > 1:
                s.gru = nn.GRU(D, D, num_layers=layers - 1, batch_first=True)
        else:
            s.gru = nn.GRU(width, D, num_layers=layers, batch_first=True)
        if kind == "additive":
            s.key, s.query, s.v = nn.Linear(C, D, bias=False), nn.Linear(D, D), nn.Linear(D, 1, bias=False)
        if kind == "general":
            s.general = nn.Linear(C, D, bias=False)
        if kind != "none":
            s.width, s.readout = readout, nn.Linear(D + C, readout)

    def attend(s, score, enc, pad):  # score [B,T,S]
        return torch.bmm(F.softmax(score.masked_fill(pad.unsqueeze(1), float("-inf")), -1), enc)

    def luong(s, y, enc, pad):  # y [B,T,D]
        keys = s.general(enc) if s.kind == "general" else enc
        return torch.tanh(s.readout(torch.cat((y, s.attend(torch.bmm(y, keys.transpose(1, 2)), enc, pad)), -1)))

    def above(s, h, states):  # the layers above the cell, one step
        if s.layers == 1:
            return h, states
        y, states = s.gru(h.unsqueeze(1), states)
        return y.squeeze(1), states

    def forward(s, x, first, enc, pad):
        e = s.emb(x)
        if s.kind != "additive" and not s.feeding:
            y = s.gru(e, first.unsqueeze(0).repeat(s.layers, 1, 1))[0]
            return y if s.kind == "none" else s.luong(y, enc, pad)
        h, states, out = first, first.unsqueeze(0).repeat(s.layers - 1, 1, 1), []
        readout, added = first.new_zeros(len(first), s.width), s.key(enc) if s.kind == "additive" else None
        for t in range(x.size(1)):
            if s.feeding:
                h = s.cell(torch.cat((e[:, t], readout), -1), h)
                y, states = s.above(h, states)
                readout = s.luong(y.unsqueeze(1), enc, pad).squeeze(1)
            else:
                score = s.v(torch.tanh(s.query(h).unsqueeze(1) + added)).squeeze(-1)
                c = s.attend(score.unsqueeze(1), enc, pad).squeeze(1)
                h = s.cell(torch.cat((e[:, t], c), -1), h)
                y, states = s.above(h, states)
                readout = torch.tanh(s.readout(torch.cat((y, c), -1)))
            out.append(readout)
        return torch.stack(out, 1)


class Seq2Seq(nn.Module):
    def __init__(s, kind, width=5, layers=1, feeding=False, tied=False, readout=D):
        super().__init__()
        s.enc, s.dec, s.out = Encoder(width, layers), Decoder(kind, width, layers, feeding, readout), nn.Linear(readout, V)
        if tied:
            s.out.weight = s.dec.emb.weight


def side(g, lens, steps):
    x = torch.randint(4, V, (B, steps), generator=g)
    x[torch.arange(steps)[None] >= lens[:, None]] = 0
    return x


both, double = (torch.float32, torch.float64), (torch.float64,)
variants = {kind: (dict(kind=kind), both) for kind in ("none", "dot", "general", "additive")}
variants["feeding"] = (dict(kind="general", feeding=True), double)
variants["feeding_layers"] = (dict(kind="dot", feeding=True, layers=2), double)
variants["additive_layers"] = (dict(kind="additive", layers=2), double)
variants["layers"] = (dict(kind="general", layers=2), double)
variants["readout"] = (dict(kind="general", readout=5, tied=True), double)
variants["feeding_readout"] = (dict(kind="general", readout=3, feeding=True), double)
variants["tied"] = (dict(kind="general", width=D, tied=True), double)

for name, (options, dtypes) in variants.items():
    for dtype in dtypes:
        g = torch.Generator().manual_seed(7)
        torch.manual_seed(3)
        m = Seq2Seq(**options).to(dtype)
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
        path = f"{sys.argv[1]}/seq2seq_{name}_{'f32' if dtype == torch.float32 else 'f64'}.safetensors"
        save_file({k: v.contiguous() for k, v in d.items()}, path, metadata={"torch": torch.__version__, "recorded_by": "scripts/record/seq2seq.py"})
        print(path, float(loss.detach()))
        if name == "general" and dtype == torch.float32:
            for file, state in (("state_dict", {"module." + n: p for n, p in m.state_dict().items()}), ("gru", m.enc.gru.state_dict())):
                save_file({n: p.contiguous() for n, p in state.items()}, f"{sys.argv[1]}/torch_{file}.safetensors", metadata={"torch": torch.__version__, "recorded_by": "scripts/record/seq2seq.py"})
