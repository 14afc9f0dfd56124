"""`which`, `check` and `check_step`: what a loss is, and whether it is the one that is meant."""
from __future__ import annotations

import html as html_text
import json
import pathlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from .child import SeqgradError, is_refusal
from .defaults import TAKEN, check_names, defaults
from .program import SETTINGS, Program
from .protocol import Outcome, converse
from .scope import of_micro_batches
from .step import StepPart, StepProgram


@dataclass
class Report:
    """What `seqgrad conform` found out about a loss."""
    text: str
    data: dict = field(default_factory=dict)
    html: str = ""
    batch: dict = field(default_factory=dict)
    exit: int = 0

    @property
    def findings(self) -> list:
        """Ids of what was found ("divisor:positions", "mask:multiplied", …); `seqgrad info --findings` lists them."""
        return [f["id"] for f in self.data.get("findings", [])]

    @property
    def finding(self) -> str:
        """The first of `findings`, or ""."""
        return next(iter(self.findings), "")

    @property
    def ok(self) -> bool:
        return self.exit == 0

    def add_note(self, words: str) -> None:
        """Above the last line of the text, which counts."""
        *lines, last = self.text.rstrip().split("\n")
        self.text = "\n".join([*lines, f"  note       {words}", last, ""])

    def to_dict(self) -> dict:
        """The report as `seqgrad conform --json` prints it."""
        return dict(self.data)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        if not self.html:
            return f"<pre>{html_text.escape(self.text)}</pre>"
        return (f'<iframe sandbox="allow-scripts" srcdoc="{html_text.escape(self.html)}" '
                'style="width:100%;height:32em;border:0"></iframe>')


class LossMismatch(AssertionError):
    """The loss is not the one that is meant. `batch`: the smallest batch that shows it, as arrays by name; `report`:
    all that was found; `case`: the folder that the batch was saved in, with `save=`."""

    def __init__(self, report: Report, case: str | None = None):
        super().__init__("\n" + report.text.rstrip() + (f"\nsaved: {case}" if case else ""))
        self.report, self.batch, self.case = report, report.batch, case

    def __reduce__(self):  # between processes, as pytest-xdist may want it
        return LossMismatch, (self.report, self.case)


def _listed(x) -> str:
    return ",".join(map(str, x)) if isinstance(x, (list, tuple, set)) else str(x)


@contextmanager
def _options(means, only, skip, seed, batches, save, more: Mapping):
    """The command line. `means` as a dict is a `loss:` section, which goes through a file."""
    given = {"only": only, "skip": skip, "seed": seed, "batches": batches, "save": save, **more}
    options = []
    for name, value in given.items():
        value = defaults.get(name) if value is None else value
        if value is True:
            options.append(f"--{name}")
        elif value is not None and value is not False:  # 0 is a number
            options += [f"--{name}", _listed(value)]
    means = defaults.get("means") if means is None else means
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(means, Mapping):
            file = pathlib.Path(folder) / "means.yaml"
            file.write_text(json.dumps(means if "loss" in means else {"loss": means}), encoding="utf-8")
            means = file
        yield [*options, "--means", str(means)] if means is not None else options


def _check_folder(save) -> None:
    """Raises before the batches are drawn, instead of losing what is found."""
    place = pathlib.Path(save).absolute()
    there = next(p for p in (place, *place.parents) if p.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"save={str(save)!r}: {there} is a file, and a folder is needed")


def _run(program, means, only, skip, seed, batches, save, more) -> Report:
    __tracebackhide__ = is_refusal
    save = defaults.get("save") if save is None else save
    if save is not None:
        _check_folder(save)
    with _options(means, only, skip, seed, batches, save, more) as options:
        outcome: Outcome = converse(program, options)
    if outcome.exit > 1:
        raise SeqgradError(outcome.text.strip()) from outcome.error
    return Report(outcome.text, outcome.report, outcome.html, outcome.batch, outcome.exit)


def _judge(report: Report, save) -> Report:
    __tracebackhide__ = True
    if not report.ok:
        raise LossMismatch(report, str(save) if save else None)
    return report


def which(fn: Callable, *, means: Any = None, framework: str | None = None, takes: Mapping[str, str] | None = None,
          only: Sequence[str] | str | None = None, skip: Sequence[str] | str | None = None, seed: int | None = None,
          batches: int | None = None, save=None, sizes: str | None = None, strict: bool = False, **settings) -> Report:
    """What a loss is, in words: `print(which(my_loss))`.

    The function gets what the names of its arguments ask for: logits [B,T,V] (or probs, log_probs, hidden with weight,
    row_loss [B,T]), targets [B,T] (or labels, dense), mask [B,T] or lengths [B], token_weight [B,T], example_weight [B],
    class_weight [V], num_items; other names through `takes={"argument": "logits"}`. It returns a scalar, [B], [T] or [B,T];
    a numpy function its value and the gradient beside it. `framework` is "torch", "tensorflow", "keras", "jax", "mlx" or
    "numpy", by default the one that the function's source uses.

    `settings`: shifts=1 for a function that shifts the targets itself, layout="time" for [T,B,…], classes and steps where
    the function has them fixed, ignore (-100), smoothing, softcap, z_loss where it has them built in.
    """
    __tracebackhide__ = is_refusal
    check_names("which and check", settings, SETTINGS, (*TAKEN, "framework", "takes"))
    program = Program(fn, framework, takes, **settings)
    return _run(program, means, only, skip, seed, batches, save, {"sizes": sizes, "strict": strict or None})


def check(fn: Callable, means: Any = None, *, framework: str | None = None, takes: Mapping[str, str] | None = None,
          only: Sequence[str] | str | None = None, skip: Sequence[str] | str | None = None, seed: int | None = None,
          batches: int | None = None, save=None, sizes: str | None = None, strict: bool = False, **settings) -> Report:
    """Raises LossMismatch where a loss is not the one that `means` names, or breaks what every loss should hold.

    `means` is a preset ("torch.mean", "tfa.sequence_loss[sum_over_timesteps]"; `seqgrad info --presets` lists them), a
    YAML file with a `loss:` section, or that section as a dict; without it only what holds for every loss is judged.
    `only` and `skip` name properties ("value", "poison", …), `seed` and `batches` draw other batches, `save` is a folder
    for the smallest failing batches. The other arguments are those of `which`.
    """
    __tracebackhide__ = True
    report = which(fn, means=means, framework=framework, takes=takes, only=only, skip=skip, seed=seed, batches=batches,
                   save=save, sizes=sizes, strict=strict, **settings)
    return _judge(report, save or defaults.get("save"))


def _check_parts(fn: Callable, own: str, micro_batches: int, ranks: int, framework: str | None, options: tuple) -> Report:
    """The report of the first micro-batch that is not `own`, else of the last one."""
    __tracebackhide__ = True
    for part in dict.fromkeys((0, micro_batches - 1)):
        program = StepPart(fn, micro_batches, ranks, part, framework)
        report = _run(program, *options)
        if "divisor:epsilon" in report.findings:
            report.add_note(f"the other micro-batches have {program.tokens_beside} tokens that count: a divisor with them in it is not "
                            "that of one micro-batch")
        if "constant:1/k" in report.findings:
            report.add_note(f"of {own} the gradients of micro-batches are added up: a step that divides by their number has another loss")
        _judge(report, options[5] or defaults.get("save"))
    return report


def check_step(fn: Callable, means: Any = None, *, micro_batches: int = 2, ranks: int = 1, framework: str | None = None,
               only: Sequence[str] | str | None = None, skip: Sequence[str] | str | None = None, seed: int | None = None,
               batches: int | None = None, save=None, sizes: str | None = None, strict: bool = False) -> Report:
    """Checks a training step: raises LossMismatch where the gradients of its parts do not add up to those of the loss
    that `means` names, over the whole batch. The report's first line says how many parts there were.

    `fn(batches)` gets the step's micro-batches, each with `.logits` [B,T,V], `.targets` [B,T], `.mask` [B,T], `.lengths`
    [B] and `.num_items` (active tokens of all of them), and returns the gradients of their logits, or (loss, gradients).
    In PyTorch it may call backward() and return nothing, or a loss, which is not judged then: its gradients are. With
    `ranks` it is called once a rank, with `num_items` of all ranks, and the gradients are averaged over them, as
    DistributedDataParallel does: a sum over num_items has to be multiplied by the number of ranks.

    Of a loss of each micro-batch (scope: micro in `seqgrad info --presets`) the gradients of its parts are those of no loss of
    the whole batch. There the first and the last micro-batch are judged, each beside others and before ranks are averaged.
    """
    __tracebackhide__ = True
    options = (means, only, skip, seed, batches, save, {"sizes": sizes, "strict": strict or None})
    own = "" if (micro_batches, ranks) == (1, 1) else of_micro_batches(defaults.get("means") if means is None else means)
    if own:
        return _check_parts(fn, own, micro_batches, ranks, framework, options)
    report = _run(StepProgram(fn, micro_batches, ranks, framework), *options)
    if ranks > 1 and "constant:1/k" in report.findings:
        report.add_note(f"gradients are averaged over the {ranks} ranks, as DistributedDataParallel does: a sum over num_items of all "
                        f"ranks is to be taken times {ranks}")
    return _judge(report, save or defaults.get("save"))
