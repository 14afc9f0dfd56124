"""Which argument of a function is which tensor of a batch: by its name, or as `takes` says."""
from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Callable, Mapping

# What may be asked for, with its shape, and the names that people give it.
TENSORS = {
    "logits": ("[B,T,V]", "inputs input y_pred pred preds predictions output outputs scores lm_logits z x"),
    "probs": ("[B,T,V]", "probabilities prob p"),
    "log_probs": ("[B,T,V]", "logprobs log_prob logp logps lprobs log_p log_probabilities"),
    "row_loss": ("[B,T]", "row_losses token_loss token_losses per_token_loss per_token_losses loss_mat nll losses loss"),
    "hidden": ("[B,T,D]", "hidden_states hidden_state h"),
    "weight": ("[V,D], beside hidden", "lm_head_weight lin_weight"),
    "bias": ("[V], beside hidden", "lm_head_bias lin_bias"),
    "targets": ("[B,T] ids", "target y y_true ids tgt trg gold true true_ids"),
    "labels": ("[B,T] ids, -100 where nothing counts", "label"),
    "dense": ("[B,T,V] distributions", "target_probs soft_targets soft_labels q one_hot"),
    "mask": ("[B,T]", "attention_mask loss_mask token_mask target_mask response_mask completion_mask masks m"),
    "lengths": ("[B]", "lens length seq_len seq_lens sequence_length sequence_lengths target_lengths n"),
    "token_weight": ("[B,T]", "token_weights weights sample_weight w"),
    "example_weight": ("[B]", "example_weights sentence_weight sentence_weights"),
    "class_weight": ("[V]", "class_weights"),
    "num_items": ("scalar: the meaning's divisor over all micro-batches", "num_items_in_batch n_items normalizer"),
}
PREDICTIONS = ("logits", "probs", "log_probs", "row_loss", "hidden")
TARGETS = ("targets", "labels", "dense")
ALIASES = {alias: name for name, (_, names) in TENSORS.items() for alias in [name, *names.split()]}


class ArgumentsError(TypeError):
    """Arguments that no tensor of a batch fits; the text lists what may be asked for."""


def asked_for() -> str:
    lines = [f"  {name:15}{shape:53}or {', '.join(names.split()[:4])}" for name, (shape, names) in TENSORS.items()]
    return "\n".join(["what a function may ask for by the names of its arguments:", *lines])


@dataclass
class Arguments:
    """`of` maps a tensor's protocol name to the argument that gets it; `positional` in the order of the function."""
    of: dict
    positional: tuple = ()
    flat: bool = False  # [N,V] beside [N], as torch.nn.CrossEntropyLoss has them

    @property
    def takes(self) -> list:
        return list(self.of)


def must_be_called(function) -> None:
    """Raises ArgumentsError for what is no function, nor like one."""
    if inspect.isclass(function):
        raise ArgumentsError(f"{function.__name__} is a class; pass an instance, as {function.__name__}()")
    if not callable(function):
        raise ArgumentsError(f"{function!r} is no function")


def _missing(names) -> str:
    """The tensor that is most likely meant by an argument without a known name, beside those that have one."""
    names = set(names)
    for group in (PREDICTIONS, () if "row_loss" in names else TARGETS, ("mask", "lengths", "labels")):
        if group and not names & set(group):
            return group[0]
    return "token_weight"


def _parameters(function: Callable):
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as e:
        raise ArgumentsError(f"{function!r} does not tell its arguments; write takes={{'logits': 'logits', "
                             "'y': 'targets', 'm': 'mask'}: argument and tensor") from e


def _place(found: dict, name: str, argument: str) -> None:
    if name in found:
        raise ArgumentsError(f"arguments '{found[name]}' and '{argument}' would both get {name}; say which is which: "
                             f"takes={{'{argument}': …}}\n{asked_for()}")
    found[name] = argument


def _complete(found: dict) -> None:
    """Names that mean something else beside others."""
    if "hidden" not in found and "weight" in found:  # PyTorch's name of class weights
        found.setdefault("class_weight", found.pop("weight"))
    counts = {"mask", "lengths", "labels"} & set(found)
    if not counts and "token_weight" in found:  # Keras's sample_weight as people pass a mask by it
        found["mask"] = found.pop("token_weight")


def _check(found: dict, parameters: list) -> None:
    def wrong(what):
        names = ", ".join(p.name for p in parameters) or "none"
        raise ArgumentsError(f"{what} among the arguments ({names}); takes={{'ARGUMENT': 'TENSOR'}} says what an "
                             f"argument is\n{asked_for()}")
    predictions = [n for n in PREDICTIONS if n in found]
    if len(predictions) != 1:
        wrong(f"{' and '.join(predictions) if predictions else 'no logits, probs, log_probs, row_loss or hidden'}")
    if predictions[0] != "row_loss" and len([n for n in TARGETS if n in found]) != 1:
        wrong("not exactly one of targets, labels, dense")
    if not {"mask", "lengths", "labels"} & set(found):
        wrong("no mask, lengths or labels: nothing says what is padding")


def _of_torch(function) -> Arguments | None:
    """torch.nn.functional.cross_entropy and the losses of torch.nn, whose batches are flat."""
    kind = type(function)
    if kind.__module__ == "torch.nn.modules.loss" or getattr(function, "__module__", "") == "torch.nn.functional":
        name = kind.__name__ if kind.__module__ == "torch.nn.modules.loss" else getattr(function, "__name__", "")
        prediction = {"CrossEntropyLoss": "logits", "cross_entropy": "logits", "NLLLoss": "log_probs",
                      "nll_loss": "log_probs"}.get(name)
        if prediction:
            return Arguments({prediction: "input", "labels": "target"}, ("input", "target"), flat=True)
    return None


def _of_keras(function) -> Arguments | None:
    """keras.losses.SparseCategoricalCrossentropy and CategoricalCrossentropy."""
    if not any(k.__module__.startswith("keras.") and k.__name__ == "Loss" for k in type(function).__mro__):
        return None
    own = type(function).__name__ in ("SparseCategoricalCrossentropy", "CategoricalCrossentropy")
    prediction = "probs" if own and not function.get_config().get("from_logits", False) else "logits"
    target = "dense" if type(function).__name__ == "CategoricalCrossentropy" else "targets"
    return Arguments({target: "y_true", prediction: "y_pred", "mask": "sample_weight"},
                     ("y_true", "y_pred", "sample_weight"))


def arguments_of(function: Callable, takes: Mapping[str, str] | None = None) -> Arguments:
    """Raises ArgumentsError where a needed argument fits no tensor."""
    must_be_called(function)
    takes = dict(takes or {})
    for argument, name in takes.items():
        if name not in TENSORS:
            raise ArgumentsError(f"takes={{'{argument}': '{name}'}}: no such tensor\n{asked_for()}")
    known = None if takes else _of_torch(function) or _of_keras(function)
    if known:
        return known
    parameters = _parameters(getattr(function, "forward", function) if hasattr(function, "named_parameters") else function)
    found: dict = {}
    positional = []
    likely = _missing([*takes.values(), *(ALIASES.get(p.name.lower()) for p in parameters if p.name not in takes)])
    for p in parameters:
        name = takes.pop(p.name, None) or ALIASES.get(p.name.lower())
        optional = p.default is not inspect.Parameter.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        if name is None and not optional:
            raise ArgumentsError(f"argument '{p.name}' is no tensor that is known; takes={{'{p.name}': '{likely}'}} says "
                                 f"what it is, functools.partial gives it a value\n{asked_for()}")
        if name is not None:
            _place(found, name, p.name)
            if p.kind == p.POSITIONAL_ONLY:
                positional.append(p.name)
    if any(p.kind == p.VAR_KEYWORD for p in parameters):  # **kwargs takes what `takes` names
        for argument, name in takes.items():
            _place(found, name, argument)
        takes = {}
    if takes:
        raise ArgumentsError(f"takes names {', '.join(map(repr, takes))}, which the function does not have")
    _complete(found)
    _check(found, parameters)
    return Arguments(found, tuple(positional))
