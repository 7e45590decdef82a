"""Whether Wherry serves a model: loads it, answers rows alone as in company, and as documented."""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from wherry.protocol.errors import RowError
from wherry.tasks import backends
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import Backend, ModelRefused
from wherry.tasks.backends.device import Device
from wherry.tasks.registry import get_task

from ..tasks.backends.contract.likeness import unlike
from .building import CannotBeBuilt, build, told
from .heads import Head
from .trials import TRIALS, Trial

#: What became of a pair. `wrong` is Wherry's fault; `cannot be built` says nothing of Wherry.
Word = Literal[
    "yes",
    "yes, in equal-length groups",
    "one by one",
    "refused",
    "needs",
    "wrong",
    "cannot be built",
    "not tried",
]
_ALIKE = "the documented call answers all rows alike"
#: How many draws of random weights a model gets, until one tells rows apart.
_SEEDS = 3
#: Where Wherry's own code is.
_OURS = str(Path(str(backends.__file__)).parents[1])
_OF_COMPANY: dict[str, Word] = {
    "padded": "yes",
    "equal-length": "yes, in equal-length groups",
    "one-by-one": "one by one",
}


@dataclass(frozen=True)
class Verdict:
    """What became of a task and a type of model; `why` is one line, where there is more to say."""

    task: str
    kind: str
    word: Word
    why: str = ""


class _Judged(Exception):
    """A trial's end before all was tried."""

    def __init__(self, word: Word, why: str) -> None:
        super().__init__(why)
        self.word, self.why = word, why


def judge(head: Head, kind: str, tasks: Sequence[str], folder: Path) -> Iterator[Verdict]:
    """Build the model and try each of the tasks with it, again with other weights those whose rows
    it answers alike.
    """
    left = tasks
    for seed in range(_SEEDS):
        try:
            build(head, kind, folder, seed)
        except CannotBeBuilt as error:
            for task in left:
                word: Word = "needs" if str(error).startswith("needs ") else "cannot be built"
                yield Verdict(task, kind, word, str(error).removeprefix("needs "))
            return
        alike = []
        for task in left:
            word, why = _judged(head, kind, task, folder)
            if why == _ALIKE and seed + 1 < _SEEDS:
                alike.append(task)
                continue
            why = " ".join(
                why.replace(f"{folder}: ", "").replace(str(folder), "the folder").split()
            )
            yield Verdict(task, kind, word, why[:300])
        left = alike
        if not left:
            return


def _judged(head: Head, kind: str, task: str, folder: Path) -> tuple[Word, str]:
    try:
        expected = _expected(trial := _opened(head, task, folder))
    except _Judged as end:
        return _refused(task, kind, folder) or (end.word, end.why)
    try:
        return _compared(_loaded(task, folder), trial, expected)
    except _Judged as end:
        return end.word, end.why


def _opened(head: Head, task: str, folder: Path) -> Trial:
    try:
        trial = TRIALS.get(head.name) or TRIALS[task]
        return trial(str(folder), head.auto_class)
    except Exception as error:
        raise _Judged("cannot be built", f"transformers cannot load it: {told(error)}") from error


def _expected(trial: Trial) -> list[Any]:
    """What the documented call says to each row."""
    try:
        found = [_seeded(trial.call, row) for row in trial.rows]
    except Exception as error:
        raise _Judged("cannot be built", f"the documented call fails: {told(error)}") from error
    if any(unlike(one, one) for one in found):
        raise _Judged("cannot be built", "the documented call answers NaN")
    if all(not unlike(found[0], one) for one in found[1:]):
        raise _Judged("cannot be built", _ALIKE)
    return found


def _seeded(call: Any, argument: Any) -> Any:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # whatever a model draws from
    return call(argument)


def _refused(task: str, kind: str, folder: Path) -> tuple[Word, str] | None:
    """What Wherry says where it refuses a kind of model, with no documented call to compare."""
    try:
        _loaded(task, folder)
    except _Judged as end:
        told = (
            f"of type {kind} does not",
            f"of type {kind} makes no",
            f"not {kind!r}",
            f"a {kind} does not",
        )
        if end.word == "refused" and any(part in end.why for part in told):
            return end.word, end.why
    return None


def _loaded(task: str, folder: Path) -> Backend:
    try:
        backend = create_backend("transformers", task, str(folder), device=Device())
        backend.load()
        backend.warm_up()
    except ModelRefused as error:
        raise _Judged("refused", str(error)) from error
    except ImportError as error:
        raise _Judged("wrong", f"a bare {told(error)}") from error
    except Exception as error:
        if isinstance(error, ValueError) and _is_ours(error):
            raise _Judged("refused", str(error)) from error
        raise _Judged("wrong", f"loading ends in a bare {told(error)}") from error
    return backend


def _is_ours(error: Exception) -> bool:
    """Whether Wherry raised it."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return last.filename.startswith(_OURS)


def _compared(backend: Backend, trial: Trial, expected: list[Any]) -> tuple[Word, str]:
    task = get_task(backend.task.name)
    rows = [task.input.validated({**trial.common(), **row}) for row in trial.rows]
    alone = [_views(trial, _answers(backend, [row]))[0] for row in rows]
    for place, (own, other) in enumerate(zip(alone, expected, strict=True)):
        if difference := trial.apart(own, other):
            why = f"not what the documented call says: row {place}{difference}"
            raise _Judged("wrong", why)
    for order in (1, -1):
        together = _views(trial, _answers(backend, rows[::order])[::order])
        for place, (own, other) in enumerate(zip(alone, together, strict=True)):
            if difference := unlike(own, other):
                why = f"a row changes with its company: row {place}{difference}"
                raise _Judged("wrong", why)
    return _OF_COMPANY[backend.company.batching], ""


def _views(trial: Trial, answers: Sequence[Any]) -> list[Any]:
    try:
        return [trial.view(answer) for answer in answers]
    except (IndexError, KeyError) as error:
        raise _Judged("wrong", "an answer is empty") from error


def _answers(backend: Backend, rows: Sequence[Any]) -> list[Any]:
    """A batch's answers as plain data."""
    try:
        found = _seeded(backend.run, rows)
    except Exception as error:
        raise _Judged("wrong", f"running ends in a bare {told(error)}") from error
    for answer in found:
        if isinstance(answer, RowError):
            raise _Judged("wrong", f"a row fails: {answer}")
    return [answer.model_dump() for answer in found]
