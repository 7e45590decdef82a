"""Parameters: Hugging Face's names for ours, and what is said by them that means nothing here.

A parameter that would change the answer, and that the task has not, is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json

from ....protocol.errors import InvalidRequest
from ....tasks.base import Task

#: Objects of parameters inside the parameters.
_NESTED = (
    "generate_kwargs",
    "generate_parameters",
    "generation_kwargs",
    "generation_parameters",
)

_RENAMED = {
    "return_documents": "return_text",
    "sampling_rate": "sample_rate",
    "stop_sequences": "stop",
    "topk": "top_k",
}

#: Change no answer, whatever they say: speed, padding, what a server waits for.
_IGNORED = frozenset(
    {
        "batch_size",
        "clean_up_tokenization_spaces",
        "details",
        "padding",
        "return_tensors",
        "use_cache",
        "wait_for_model",
    }
)

#: Mean nothing to one task, whatever they say.
_IGNORED_BY = {
    "automatic-speech-recognition": {"chunk_length_s", "stride_length_s"},
    "image-to-image": {"guidance_scale", "num_inference_steps"},  # one step, no prompt
    "table-question-answering": {"model"},
}

#: Values that say what is done anyway.
_USUAL: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "decoder_input_details": (False,),
    "early_stopping": (False,),
    "encoding_format": ("float",),
    "frequency_penalty": (0,),
    "handle_impossible_answer": (False,),
    "lang": ("", "en", "eng"),
    "length_penalty": (1,),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "no_repeat_ngram_size": (0,),
    "normalize": (False,),
    "num_beam_groups": (1,),
    "num_return_sequences": (1,),
    "presence_penalty": (0,),
    "return_all_scores": (True,),
    "return_text": (True,),
    "sequential": (False,),
    "task": ("transcribe",),
    "top_n_tokens": (0,),
    "truncation": (False, "do_not_truncate"),
    "truncation_direction": ("right",),
    "typical_p": (1,),
    "watermark": (False,),
}

Given = dict[str, Any]


def fields(task: Task, given: Mapping[str, Any]) -> Given:
    """Fields of a task's input. Raises InvalidRequest that names the parameter."""
    flat = _flat(given)
    known = task.input.parameter_names()
    if "truncate" in known:
        _truncation(flat)
    for convert in _CONVERSIONS.get(task.name, ()):
        convert(flat)
    ignored = _IGNORED | _IGNORED_BY.get(task.name, set())
    taken: Given = {}
    for name, value in flat.items():
        if name in known:
            taken[name] = value
        elif name not in ignored and value not in _USUAL.get(name, ()):
            raise InvalidRequest(
                f"parameters.{name[:80]}: {task.name} takes no such parameter or value; "
                f"it takes {', '.join(known) or 'none'}"
            )
    return taken


def _flat(given: Mapping[str, Any]) -> Given:
    """All parameters in one object, under our names, less those that are null."""
    flat: Given = {}
    for name in _NESTED:
        inner = given.get(name)
        if not isinstance(inner, dict | None):
            raise InvalidRequest(f"parameters.{name}: expected an object")
        flat |= inner or {}
    flat |= {name: value for name, value in given.items() if name not in _NESTED}
    return {_RENAMED.get(name, name): value for name, value in flat.items() if value is not None}


def _truncation(given: Given) -> None:
    """`truncation` names a strategy; ours is yes or no. Some write Left and Right."""
    strategy, side = given.pop("truncation", None), given.get("truncation_direction")
    if strategy is not None:
        given.setdefault("truncate", strategy not in (False, "do_not_truncate"))
    if isinstance(side, str):
        given["truncation_direction"] = side.lower()


def _max_length(given: Given) -> None:
    """Transformers' older bound. It counts the prompt too where there is one; ours does not."""
    length = given.pop("max_length", None)
    if length is not None:
        given.setdefault("max_new_tokens", length)


def _drawn(given: Given) -> None:
    """As text-generation-inference does: who shapes the chances wants tokens drawn by them."""
    shaped = (
        given.get("temperature") not in (None, 0, 1)
        or given.get("top_p") not in (None, 1)
        or given.get("top_k") not in (None, 0)
    )
    if shaped and given.get("num_beams") in (None, 1):
        given.setdefault("do_sample", True)


def _size(given: Given) -> None:
    size = given.pop("target_size", None)
    if size is None:
        return
    if not isinstance(size, dict) or not set(size) <= {"width", "height"}:
        raise InvalidRequest("parameters.target_size: expected {width, height}")
    for name, value in size.items():
        given.setdefault(name, value)


def _joined(given: Given) -> None:
    """Whole entities, as Hugging Face answers who does not say."""
    given.setdefault("aggregation_strategy", "simple")


def _grammar(given: Given) -> None:
    """text-generation-inference's `grammar`: {type, value}."""
    grammar = given.pop("grammar", None)
    if grammar is None:
        return
    if "structured_outputs" in given:
        raise InvalidRequest("parameters.grammar: structured_outputs says the form already")
    kind = grammar.get("type") if isinstance(grammar, dict) else None
    value = grammar.get("value") if isinstance(grammar, dict) else None
    if kind == "json_schema" and isinstance(value, dict):
        kind, value = "json", value.get("schema")
    if kind == "json" and isinstance(value, str):
        try:
            value = from_json(value)
        except ValueError:
            value = None
    if (kind, type(value)) not in (("json", dict), ("regex", str)):
        raise InvalidRequest(
            "parameters.grammar: expected {type: json, value: a JSON schema} or "
            "{type: regex, value: a text}"
        )
    given["structured_outputs"] = {kind: value}


def _no_tools(given: Given) -> None:
    """A pipeline's answer has no place for calls."""
    for name in ("tools", "tool_choice", "parallel_tool_calls"):
        if given.get(name):
            raise InvalidRequest(f"parameters.{name}: /v1/chat/completions takes it, not this path")


_CONVERSIONS: dict[str, tuple[Callable[[Given], None], ...]] = {
    "audio-text-to-text": (_max_length, _drawn),
    "chat": (_max_length, _drawn, _grammar, _no_tools),
    "image-text-to-text": (_max_length, _drawn),
    "image-to-text": (_max_length,),
    "summarization": (_max_length,),
    "text-generation": (_max_length, _drawn, _grammar),
    "text-to-image": (_size,),
    "text2text-generation": (_max_length,),
    "token-classification": (_joined,),
    "translation": (_max_length,),
}
