"""Folders of sentence-transformers' cross-encoders."""

from __future__ import annotations

from ..base import ModelRefused
from .sentence_modules import MODULES_FILE
from .sentence_steps import Find
from .sentences import SENTENCES_FILE, TRANSFORMER_FILES, named_modules, read_json

#: Activations between which scores are told from logits: the task gives both.
_ACTIVATIONS = ("Identity", "Sigmoid")


def pair_length(find: Find, source: str) -> int | None:
    """How many tokens of a pair the folder says to read; None where it does not say.

    Raises ModelRefused where scores would be other than the logit or its sigmoid.
    """
    check_activation(find, source)
    own = read_json(find, SENTENCES_FILE)
    if own.get("default_prompt_name"):
        raise ModelRefused(f"{source}: a prompt before queries is not served for this task")
    modules = [kind for kind, _ in named_modules(find, source)]
    beside = [kind for kind in modules if not kind.endswith(".Transformer")]
    if beside and own.get("model_type") == "CrossEncoder":
        raise ModelRefused(f"{source}: {MODULES_FILE} has {beside[0]}, which is not served")
    found = (read_json(find, name).get("max_seq_length") for name in TRANSFORMER_FILES)
    longest: int | None = next(filter(None, found), None)
    return longest


def check_activation(find: Find, source: str) -> None:
    """Raise ModelRefused where scores would be other than the logit or its sigmoid."""
    own, config = read_json(find, SENTENCES_FILE), read_json(find, "config.json")
    told = (
        own.get("activation_fn")
        or (config.get("sentence_transformers") or {}).get("activation_fn")
        or config.get("sbert_ce_default_activation_function")
    )
    if told and str(told).rpartition(".")[2] not in _ACTIVATIONS:
        raise ModelRefused(f"{source}: the activation {told} is not served, only Sigmoid")
