"""What workers found out of the models that they loaded: their size, dtype, labels, runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .call import Call
from .keys import Keys
from .reach import answers_of_present, of_all
from .settings import JobsSettings

#: Field that counts what was written; no model has such a name.
_COUNT = "*"


def tell_facts(model_id: str, facts: Mapping[str, Any], settings: JobsSettings) -> Call[None]:
    """Write down what a model, by `Group.model_id`, turned out to be."""
    key = Keys(settings.key_prefix).facts
    told = [("HSET", key, model_id, json.dumps(facts)), ("HINCRBY", key, _COUNT, 1)]
    return Call(told, parse=lambda *_: None)


def count_facts(settings: JobsSettings) -> Call[int]:
    """How often something was written: while that is the same, all is."""
    count = ("HGET", Keys(settings.key_prefix).facts, _COUNT)
    return Call([count], parse=lambda reply: int(reply or 0), reach=of_all(_sum_of_present))


def read_facts(settings: JobsSettings) -> Call[dict[str, dict[str, Any]]]:
    """What is known of each model."""
    return Call([("HGETALL", Keys(settings.key_prefix).facts)], parse=_read, reach=of_all(_all_of))


def _sum_of_present(answers: Sequence[int | Exception]) -> int:
    return sum(answers_of_present(answers)[0])


def _all_of(answers: Sequence[dict[str, Any] | Exception]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in answers_of_present(answers)[0]:
        found |= each
    return found


def _read(reply: Mapping[bytes, bytes]) -> dict[str, dict[str, Any]]:
    known = {field.decode(): value for field, value in reply.items()}
    return {field: json.loads(value) for field, value in known.items() if field != _COUNT}
