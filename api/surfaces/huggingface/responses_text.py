"""Answers of the text tasks, as clients of Hugging Face parse them."""

from __future__ import annotations

import json

from ....tasks.text.generation import Generation
from ....tasks.text.token_classification import Entity, TokenClassificationInput
from ....tasks.text.tokens import Token
from .requests_text import CONVERSATION, LISTED, MESSAGES, PAIR, PAIRS
from .responses import Answered, Writer, items


def _lists(answered: Answered) -> object:
    """A list per text even where there is one: InferenceClient takes the first."""
    return [[item.model_dump() for item in row] for row in answered.entries]


def _vectors(answered: Answered) -> object:
    """A vector per text, in a list even where there is one text."""
    return answered.entries


def _features(answered: Answered) -> object:
    """A vector per token, in a list per text where a list was sent."""
    return answered.one_or_many(answered.entries)


def _entities(answered: Answered) -> object:
    given = answered.given
    assert isinstance(given, TokenClassificationInput)
    joined = given.aggregation_strategy != "none"

    def entity(item: Entity) -> dict[str, object]:
        if not joined:
            return item.model_dump()
        return {"entity_group": item.entity, **item.model_dump(exclude={"entity", "index"})}

    rows = [[entity(item) for item in row] for row in answered.entries]
    return answered.one_or_many(rows)


def _answers(answered: Answered) -> object:
    """One answer as an object, several as a list: Transformers' pipeline does so."""
    rows = [[item.model_dump() for item in row] for row in answered.entries]
    single = getattr(answered.given, "top_k", 1) == 1
    return answered.one_or_many([row[0] if single and row else row for row in rows])


def _table_answers(answered: Answered) -> object:
    rows = [
        {
            "answer": item.answer,
            "coordinates": json.loads(item.coordinates),
            "cells": json.loads(item.cells),
            "aggregator": item.aggregator,
        }
        for (item,) in answered.entries
    ]
    return answered.one_or_many(rows)


def _similarities(answered: Answered) -> object:
    if answered.rows.form == LISTED:  # InferenceClient never sends it: as the container answers
        return {"similarities": answered.entries[0]}
    return answered.one_or_many(answered.entries)


def _rankings(answered: Answered) -> object:
    ranked = answered.entries
    if answered.rows.form == PAIR:
        return {"scores": ranked[0][0].score}
    if answered.rows.form == PAIRS:
        return {"scores": [row[0].score for row in ranked]}
    with_text = getattr(answered.given, "return_text", True)
    without = set() if with_text else {"text"}
    return [item.model_dump(exclude=without) for item in ranked[0]]


def _named(name: str) -> Writer:
    """A list of objects, each text under the task's own name."""

    def write(answered: Answered) -> object:
        return [{name: generation.text} for generation in answered.entries]

    return write


def _conversation(answered: Answered) -> object:
    said = answered.entries[0].text
    inputs = answered.asked.inputs
    if answered.rows.form == CONVERSATION:
        return {
            "generated_text": said,
            "conversation": {
                "past_user_inputs": [*(inputs.get("past_user_inputs") or []), inputs["text"]],
                "generated_responses": [*(inputs.get("generated_responses") or []), said],
            },
        }
    if answered.rows.form == MESSAGES:
        messages = inputs["messages"] if isinstance(inputs, dict) else inputs
        return [{"generated_text": [*messages, {"role": "assistant", "content": said}]}]
    return [{"generated_text": said}]


def _classes(answered: Answered) -> object:
    """A class a row, and a number where the JavaScript client takes nothing else."""
    if not answered.asked.by_javascript:
        return answered.entries
    return [_number(label) for label in answered.entries]


def _number(label: str) -> object:
    try:
        return int(label) if label.lstrip("-").isdecimal() else float(label)
    except ValueError:
        return label


def _targets(answered: Answered) -> object:
    """A number a row; a list of them of models with several targets."""
    return [row[0] if len(row) == 1 else row for row in answered.entries]


def _custom(answered: Answered) -> object:
    """What the handler returned, as it is."""
    return answered.entries[0]


def finish_reason(generation: Generation, stops: object) -> str:
    """Why a text ended, in text-generation-inference's words."""
    if generation.finish_reason == "length":
        return "length"
    # Ours does not tell the model's own end from a stop string.
    return "stop_sequence" if stops else "eos_token"


def details(generation: Generation, tokens: list[Token], stops: object) -> dict[str, object]:
    """What `details: true` asks for; the prompt's own tokens are not told."""
    return {
        "finish_reason": finish_reason(generation, stops),
        "generated_tokens": generation.completion_tokens,
        "prefill": [],
        "tokens": [token.view() for token in tokens],
    }


#: Task -> the writer of its answer.
WRITERS: dict[str, Writer] = {
    "chat": _conversation,
    "custom": _custom,
    "embedding": _vectors,
    "feature-extraction": _features,
    "fill-mask": items,
    "question-answering": _answers,
    "ranking": _rankings,
    "sentence-similarity": _similarities,
    "summarization": _named("summary_text"),
    "table-question-answering": _table_answers,
    "tabular-classification": _classes,
    "tabular-regression": _targets,
    "text-classification": _lists,
    "text-generation": _named("generated_text"),
    "text2text-generation": _named("generated_text"),
    "token-classification": _entities,
    "translation": _named("translation_text"),
    "zero-shot-classification": items,
}
