"""`inputs` of the text tasks: what each of them may look like, as fields of its Input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

from ....protocol.errors import InvalidRequest
from ....tasks.multimodal.tabular import records_of
from .requests import HfRequest, Rows

#: Takes from the parameters what is part of the inputs.
Reader = Callable[[HfRequest], Rows]

#: Sentence pairs: the first of two texts is compared with the second.
PAIR, PAIRS, LISTED, CONVERSATION, MESSAGES = "pair", "pairs", "listed", "conversation", "messages"


def wrong(expected: str, given: object, field: str = "inputs") -> InvalidRequest:
    """The refusal of a value."""
    got = "nothing" if given is None else "an empty list" if given == [] else type(given).__name__
    return InvalidRequest(f"{field}: expected {expected}, got {got}")


def text(value: object, field: str) -> str:
    """A text. Raises InvalidRequest."""
    if not isinstance(value, str):
        raise wrong("a text", value, field)
    return value


def texts_of(value: object, field: str) -> list[str]:
    """A list of texts. Raises InvalidRequest."""
    if not isinstance(value, list) or not value:
        raise wrong("a list of texts", value, field)
    return [text(entry, f"{field}.{index}") for index, entry in enumerate(value)]


def labels_of(value: object) -> list[str]:
    """Candidate labels: a list, or a text with commas, as Transformers' pipelines take them."""
    if isinstance(value, str):
        value = [label.strip() for label in value.split(",") if label.strip()]
    return texts_of(value, "candidate_labels")


def entries(inputs: object, expected: str) -> tuple[list[Any], bool]:
    """The rows that inputs hold, and whether they were a list."""
    if inputs is None or inputs == []:
        raise wrong(expected, inputs)
    return (inputs, True) if isinstance(inputs, list) else ([inputs], False)


def part(row: object, *names: str, field: str = "inputs") -> Any:
    """An entry of an object, under the first of some names. Raises InvalidRequest."""
    if isinstance(row, Mapping):
        for name in names:
            if row.get(name) is not None:
                return row[name]
    raise InvalidRequest(f"{field}.{names[0]}: missing")


def _texts(field: str) -> Reader:
    def read(asked: HfRequest) -> Rows:
        rows, many = entries(asked.inputs, "a text or a list of texts")
        return Rows({field: [text(row, "inputs") for row in rows]}, many)

    return read


def _maybe_pairs(asked: HfRequest) -> Rows:
    rows, many = entries(asked.inputs, "a text, {text, text_pair}, or a list of these")
    if not any(isinstance(row, dict) for row in rows):
        return Rows({"texts": [text(row, "inputs") for row in rows]}, many)
    firsts = [text(part(row, "text"), "inputs.text") for row in rows]
    seconds = [row.get("text_pair") for row in rows]
    if seconds == [None] * len(rows):
        return Rows({"texts": firsts}, many)
    return Rows(
        {"texts": firsts, "text_pairs": [text(s, "inputs.text_pair") for s in seconds]}, many
    )


def _zero_shot(asked: HfRequest) -> Rows:
    inputs = asked.inputs
    inner = inputs if isinstance(inputs, dict) else {}
    if inner:
        inputs = part(inner, "sequences", "text")
    labels = candidate_labels(inner, asked.parameters)
    rows, many = entries(inputs, "a text or a list of texts")
    return Rows({"texts": [text(row, "inputs") for row in rows], "candidate_labels": labels}, many)


def candidate_labels(inner: Mapping[str, Any], parameters: dict[str, Any]) -> list[str]:
    """The labels, from the parameters or from the inputs. Raises InvalidRequest."""
    names = ("candidate_labels", "candidateLabels")
    found = [place[name] for place in (parameters, inner) for name in names if name in place]
    for name in names:
        parameters.pop(name, None)
    if not found or found[0] is None:
        raise InvalidRequest("parameters.candidate_labels: missing; give the labels to choose from")
    return labels_of(found[0])


def _question(asked: HfRequest) -> Rows:
    rows, many = entries(asked.inputs, "{question, context} or a list of these")
    first = rows[0] if not many else None
    if isinstance(first, dict) and isinstance(first.get("question"), list):
        questions = texts_of(first["question"], "inputs.question")
        contexts = part(first, "context")
        if isinstance(contexts, str):
            contexts = [contexts] * len(questions)
        contexts = texts_of(contexts, "inputs.context")
        return Rows({"questions": questions, "contexts": contexts}, many=True)
    return Rows(
        {
            "questions": [text(part(row, "question"), "inputs.question") for row in rows],
            "contexts": [text(part(row, "context"), "inputs.context") for row in rows],
        },
        many,
    )


def _table(asked: HfRequest) -> Rows:
    rows, many = entries(asked.inputs, "{query, table} or a list of these")
    if not many and isinstance(asked.inputs, dict):
        query = part(asked.inputs, "query", "question")
        if isinstance(query, list):
            rows, many = [{**asked.inputs, "query": one} for one in query], True
    if not rows:
        raise InvalidRequest("inputs.query: missing")
    return Rows(
        {
            "queries": [text(part(row, "query", "question"), "inputs.query") for row in rows],
            "tables": [part(row, "table") for row in rows],
        },
        many,
    )


def _similarity(asked: HfRequest) -> Rows:
    expected = "{source_sentence, sentences}, or a list of texts"
    rows, many = entries(asked.inputs, expected)
    if isinstance(rows[0], str):
        listed = texts_of(rows, "inputs")
        if len(listed) < 2:
            raise InvalidRequest("inputs: expected two texts at least, to compare the first with")
        fields = {"source_sentences": listed[:1], "sentences": [listed[1:]]}
        return Rows(fields, form=LISTED)
    sources = [part(row, "source_sentence") for row in rows]
    others = [texts_of(part(row, "sentences"), "inputs.sentences") for row in rows]
    return Rows(
        {
            "source_sentences": [text(s, "inputs.source_sentence") for s in sources],
            "sentences": others,
        },
        many,
    )


def _ranking(asked: HfRequest) -> Rows:
    inputs = asked.inputs
    if inputs is None and "query" in asked.parameters:  # as text-embeddings-inference takes it
        inputs = {name: asked.parameters.pop(name, None) for name in ("query", "texts")}
    if isinstance(inputs, dict):
        query = text(part(inputs, "query"), "inputs.query")
        return Rows(
            {"queries": [query], "texts": [texts_of(part(inputs, "texts"), "inputs.texts")]}
        )
    expected = "{query, texts}, or a pair [query, text], or a list of pairs"
    rows, _ = entries(inputs, expected)
    form = PAIR if isinstance(rows[0], str) else PAIRS
    pairs = [texts_of(row, "inputs") for row in ([rows] if form == PAIR else rows)]
    if any(len(pair) != 2 for pair in pairs):
        raise InvalidRequest(f"inputs: expected {expected}; a pair has two texts")
    return Rows({"queries": [p[0] for p in pairs], "texts": [p[1:] for p in pairs]}, form=form)


def _chat(asked: HfRequest) -> Rows:
    inputs = asked.inputs
    if isinstance(inputs, str):
        return Rows({"messages": [[{"role": "user", "content": inputs}]]})
    if isinstance(inputs, dict) and "messages" not in inputs:
        return Rows({"messages": [_turns(inputs)]}, form=CONVERSATION)
    messages = inputs["messages"] if isinstance(inputs, dict) else inputs
    if not isinstance(messages, list) or not messages:
        raise wrong("{text, past_user_inputs, generated_responses}, messages or a text", inputs)
    return Rows({"messages": [messages]}, form=MESSAGES)


def _turns(inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """A conversation as the conversational task had it: what each side said, then the new text."""
    said = inputs.get("past_user_inputs") or []
    answered = inputs.get("generated_responses") or []
    said = texts_of(said, "inputs.past_user_inputs") if said else []
    answered = texts_of(answered, "inputs.generated_responses") if answered else []
    if len(answered) > len(said):
        raise InvalidRequest("inputs.generated_responses: more than past_user_inputs has")
    turns = []
    for user, assistant in zip_longest(said, answered):
        turns.append({"role": "user", "content": user})
        if assistant is not None:
            turns.append({"role": "assistant", "content": assistant})
    return [*turns, {"role": "user", "content": text(part(inputs, "text"), "inputs.text")}]


def _columns(asked: HfRequest) -> Rows:
    """A table of columns: the widget's and the JavaScript client's, or InferenceClient's."""
    inputs, field = asked.inputs, "inputs.data"
    table = inputs.get("data") if isinstance(inputs, dict) else inputs
    if inputs is None and "table" in asked.parameters:
        table, field = asked.parameters.pop("table"), "table"
    if not isinstance(table, dict) or not table:
        raise wrong("{data: {column: [values]}}", table, field)
    for name, values in table.items():
        if not isinstance(values, list) or not values:
            raise wrong("a list of values", values, f"{field}.{name[:80]}")
    return Rows({"records": records_of(table)}, many=True)


def _custom(asked: HfRequest) -> Rows:
    """The handler gets the whole body, as in an Inference Endpoint."""
    document = dict(asked.document) or {"inputs": asked.inputs}
    if asked.parameters and not asked.document:
        document["parameters"] = dict(asked.parameters)
    asked.parameters.clear()
    return Rows({"data": [document]})


#: Task -> the reader of its inputs.
READERS: dict[str, Reader] = {
    "chat": _chat,
    "custom": _custom,
    "embedding": _texts("texts"),
    "feature-extraction": _texts("texts"),
    "fill-mask": _texts("texts"),
    "question-answering": _question,
    "ranking": _ranking,
    "sentence-similarity": _similarity,
    "summarization": _texts("texts"),
    "table-question-answering": _table,
    "tabular-classification": _columns,
    "tabular-regression": _columns,
    "text-classification": _maybe_pairs,
    "text-generation": _texts("texts"),
    "text-to-audio": _texts("texts"),
    "text-to-image": _texts("prompts"),
    "text-to-speech": _texts("texts"),
    "text2text-generation": _texts("texts"),
    "token-classification": _texts("texts"),
    "translation": _texts("texts"),
    "zero-shot-classification": _zero_shot,
}
