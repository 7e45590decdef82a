"""Folders of causal language models that are asked whether a text fits a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..base import ModelRefused
from .cross_encoder import check_activation
from .reranker_layouts import LAYOUTS, REMEDY, UNTOLD, RerankLayout, layout_of
from .sentence_modules import MODULES_FILE
from .sentence_steps import Find
from .sentences import SENTENCES_FILE, TRANSFORMER_FILES, named_modules, read_json

#: What a folder of sentence-transformers has in place of a head.
_SCORE = "LogitScore"

#: What `apply_chat_template` takes for the tokenizer.
_SIZES = {"max_length", "padding", "return_tensors", "truncation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedModel:
    """How a model is asked, and what it answers with."""

    #: Words of its vocabulary, or their numbers: the one that says no, if any, then that says yes;
    #: () for a model with a head that answers a number.
    tokens: tuple[str | int, ...]
    #: None where the tokenizer's chat template lays it out.
    layout: RerankLayout | None = None
    #: Whether that template wants contents in parts; None where nobody says.
    structured: bool | None = None
    #: What else that template is given.
    arguments: Mapping[str, Any] = field(default_factory=dict)
    instruction: str = ""
    longest: int | None = None


def how_asked(
    find: Find,
    source: str,
    *,
    classifier_from_token: Sequence[str] = (),
    template: str = "",
    instruction: str = "",
) -> AskedModel | None:
    """How the folder, and above it a declaration, says that its model is asked; None for a
    cross-encoder with a head.

    Raises ModelRefused for a causal language model of which neither says so.
    """
    config = read_json(find, "config.json")
    told = _told(find, source, config)
    layout = layout_of(template) if template else told.layout if told else None
    writes = any(str(name).endswith("ForCausalLM") for name in config.get("architectures") or ())
    tokens: tuple[str | int, ...] = tuple(classifier_from_token) or (told.tokens if told else ())
    if not tokens and layout and writes:
        tokens = layout.tokens
    if told is None and not (tokens or layout):
        if writes:
            raise ModelRefused(f"{source}: {UNTOLD}")
        if instruction:
            raise ModelRefused(f"{source}: a cross-encoder is given no instruction")
        return None
    if writes and not tokens:
        raise ModelRefused(
            f"{source}: nothing says which token means that a text fits: give it parameters: "
            'classifier_from_token = ["no", "yes"], the last of them'
        )
    if len(tokens) > 2:
        raise ModelRefused(f"{source}: classifier_from_token has {len(tokens)} tokens, not 1 or 2")
    own = told or AskedModel(tokens=())
    return replace(
        own,
        tokens=tokens,
        layout=layout,
        instruction=instruction or own.instruction,
        longest=own.longest or (layout.longest if layout else None),
    )


def _told(find: Find, source: str, config: Mapping[str, Any]) -> AskedModel | None:
    """What the folder itself says."""
    modules = named_modules(find, source)
    if any(kind.endswith(f".{_SCORE}") for kind, _ in modules):
        return _of_sentence_transformers(find, source, dict(_short(modules, source)))
    tokens = config.get("classifier_from_token")  # vLLM's word
    if not tokens:
        return None
    known = LAYOUTS["qwen3-reranker"] if config.get("is_original_qwen3_reranker") else None
    return AskedModel(tokens=tuple(tokens), layout=known)


def _short(modules: Sequence[tuple[str, str]], source: str) -> list[tuple[str, str]]:
    named = [(kind.rpartition(".")[2], path) for kind, path in modules]
    if [name for name, _ in named] != ["Transformer", _SCORE]:
        listed = ", ".join(name for name, _ in named)
        raise ModelRefused(
            f"{source}: {MODULES_FILE} has {listed}; Transformer and {_SCORE} alone are served"
        )
    return named


def _of_sentence_transformers(find: Find, source: str, folders: Mapping[str, str]) -> AskedModel:
    """Raises ModelRefused for what is not served."""
    check_activation(find, source)
    file = next(filter(find, TRANSFORMER_FILES), TRANSFORMER_FILES[0])
    reads = read_json(find, file)
    modalities = reads.get("modality_config") or {}
    score_file = f"{folders[_SCORE]}/config.json"
    score = read_json(find, score_file)
    if score.get("true_token_id") is None:
        raise ModelRefused(f"{source}: {score_file} has no true_token_id: copy the folder again")
    message = modalities.get("message")
    if message is None:
        raise ModelRefused(
            f"{source}: {file} says nothing of messages, in which a query and a text are asked "
            f"about: {REMEDY}"
        )
    processing = dict(reads.get("processing_kwargs") or {})
    arguments = dict(processing.pop("chat_template", None) or {})
    arguments.pop("restore_suffix", None)  # what is behind the text is always kept
    beside = {name for name, given in processing.items() if given} | _SIZES & arguments.keys()
    if beside:
        raise ModelRefused(f"{source}: {file}: processing_kwargs {sorted(beside)} are not served")
    own = read_json(find, SENTENCES_FILE)
    tokens = (score.get("false_token_id"), score["true_token_id"])
    form = message.get("format", "auto")
    return AskedModel(
        tokens=tuple(token for token in tokens if token is not None),
        structured=None if form == "auto" else form == "structured",
        arguments=arguments,
        instruction=(own.get("prompts") or {}).get(own.get("default_prompt_name") or "") or "",
        longest=reads.get("max_seq_length"),
    )
