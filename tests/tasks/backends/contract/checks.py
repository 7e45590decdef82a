"""What every backend of every task keeps to, whatever its model."""

from __future__ import annotations

import functools
import gc
import pickle
import random
import re
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch

from wherry.protocol import codec
from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.backends.base import Backend, ModelRefused
from wherry.tasks.base import TaskInput, TaskOutput
from wherry.tasks.parts import Parts
from wherry.tasks.registry import get_task

from .case import Changed, Row
from .files import cleared
from .likeness import unlike
from .models import UNREADABLE, Pair, Workshop, pairs

Answers = list[TaskOutput | RowError]


class Served:
    """A backend with its model, and its rows."""

    def __init__(self, backend: Backend, pair: Pair) -> None:
        self.backend, self.pair, self.case = backend, pair, pair.case
        self.task = backend.task
        self._answered: dict[bytes, TaskOutput] = {}

    def row(self, fields: Row, **more: Any) -> TaskInput:
        """A row of the case's parameters."""
        return self.task.input.validated({**self.case.fixed, **fields, **more})

    @functools.cached_property
    def rows(self) -> list[TaskInput]:
        """The case's rows."""
        return [self.row(fields) for fields in self.case.rows]

    @functools.cached_property
    def alone(self) -> list[TaskOutput]:
        """What each of them is answered alone."""
        return [self.answer(row) for row in self.rows]

    def run(self, rows: Sequence[TaskInput]) -> Answers:
        """Answers to a batch, with all chance as it is every time."""
        torch.default_generator.manual_seed(0)  # torch's own call writes down where it comes from
        random.seed(0)
        np.random.seed(0)  # whatever a model draws from
        parts = Parts(rows)
        answers = parts.answers(self.backend.run(parts.rows))
        assert all(isinstance(answer, TaskOutput | RowError) for answer in answers)
        return cast("Answers", answers)

    def answer(self, row: TaskInput) -> TaskOutput:
        """The answer of a row alone: asked once, for batches hold what is asked again to it."""
        key = pickle.dumps((sorted(row.model_fields_set), row.model_dump()))
        if key not in self._answered:
            (answer,) = self.run([row])
            assert isinstance(answer, TaskOutput), answer
            self._answered[key] = answer
        return self._answered[key]

    def fails_alone(self, broken: TaskInput, says: str) -> None:
        """Check that a row fails, in the middle of a batch and with nobody beside it."""
        first, bad, last = self.run([self.rows[0], broken, self.rows[-1]])
        assert isinstance(bad, RowError), f"answered: {bad}"
        with pytest.raises(RowError, match=says):
            raise bad
        same([first, last], [self.alone[0], self.alone[-1]])
        (lonely,) = self.run([broken])
        assert isinstance(lonely, RowError)


def same(answers: Sequence[TaskOutput | RowError], expected: Sequence[TaskOutput]) -> None:
    """Check that answers are like those expected, one by one."""
    assert len(answers) == len(expected)
    for place, (answer, other) in enumerate(zip(answers, expected, strict=True)):
        assert isinstance(answer, TaskOutput), f"row {place}: {answer}"
        assert unlike(answer.model_dump(), other.model_dump(), f"row {place}") == ""


def _is_first(pair: Pair, family: str) -> bool:
    """Whether it is the first model of its backend and task: others read files as it does."""
    return pair == next(
        p for p in pairs(family) if (p.backend, p.task) == (pair.backend, pair.task)
    )


class Contract:
    """Checks of all backends of a family's tasks."""

    family: str

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each pair, and with `parameter` each of its parameters; the stub heeds none."""
        if "parameter" in metafunc.fixturenames:
            found = [
                pytest.param(pair, name, id=f"{pair}-{name}", marks=pair.marks)
                for pair in pairs(self.family)
                if pair.backend != "stub"
                for name in get_task(pair.task).input.parameter_names()
                if name != "truncate" and name not in pair.deaf
                if name != "background" or _is_first(pair, self.family)
            ]
            metafunc.parametrize(("pair", "parameter"), found)
        else:
            found = [
                pytest.param(pair, id=str(pair), marks=pair.marks) for pair in pairs(self.family)
            ]
            metafunc.parametrize("pair", found)

    def test_rows_are_answered_together_as_alone(self, served: Served) -> None:
        same(served.run(served.rows), served.alone)
        same(served.run(served.rows[::-1]), served.alone[::-1])
        if served.pair.backend != "stub":
            dumps = [answer.model_dump() for answer in served.alone]
            assert all(unlike(dumps[0], dump) for dump in dumps[1:]), "the rows tell nothing apart"

    def test_it_says_what_it_runs_on_and_what_it_takes(self, served: Served) -> None:
        facts = served.backend.facts()
        assert facts.runtime
        if served.pair.backend == "transformers":
            assert facts.parameters
            assert facts.bytes >= 4 * facts.parameters
            assert facts.dtype == "float32"
        if facts.labels:  # what it answers is among them
            said = [row.model_dump().get("results") for row in served.alone]
            named = {one["label"] for results in said for row in results or () for one in row}
            assert named <= set(facts.labels)

    def test_a_batch_has_as_many_answers_as_rows(self, served: Served) -> None:
        assert served.run([]) == []
        same(served.run(served.rows[:1]), served.alone[:1])
        same(served.run([served.rows[0]] * 3), [served.alone[0]] * 3)

    def test_a_row_that_cannot_be_read_fails_alone(self, served: Served) -> None:
        if served.pair.backend == "stub":
            served.fails_alone(_unreadable(served.rows[0]), "reject")
            return
        for fields, says in served.case.broken:
            served.fails_alone(served.row({**served.case.rows[0], **fields}), says)

    def test_a_row_beyond_the_limit_fails_alone_or_is_cut(self, served: Served) -> None:
        for fields, says in served.case.beyond if served.pair.backend != "stub" else ():
            row = served.row({**served.case.rows[0], **fields})
            served.fails_alone(row, says)
            if not getattr(row, "truncate", True):
                cut = served.row({**served.case.rows[0], **fields}, truncate=True)
                first, answer = served.run([served.rows[0], cut])
                same([first], served.alone[:1])
                assert isinstance(first, TaskOutput)
                assert isinstance(answer, TaskOutput), answer
                assert first.warning == ""
                assert re.search(r"cut: .*\d+ of \d+", answer.warning), answer.warning

    def test_a_default_that_is_given_changes_nothing(self, served: Served) -> None:
        known = served.case.rows[0].keys() | served.case.fixed.keys()
        fields = served.task.input.model_fields
        given = {
            name: fields[name].get_default(call_default_factory=True)
            for name in served.task.input.parameter_names()
            if name not in known
        }
        same(served.run([served.row(served.case.rows[0], **given)]), served.alone[:1])

    def test_a_parameter_changes_its_row_alone(self, served: Served, parameter: str) -> None:
        changed = served.case.changed.get(parameter)
        if changed is None and parameter == "background":
            changed = Changed(value="black", rows=[cleared(served.task, served.case.rows)])
        if changed is None:
            pytest.fail(f"add a Changed for {parameter!r} to the Case of {served.task.name!r}")
        rows = changed.rows or served.case.rows
        for some in (rows[:2], rows):  # most tell by the first two
            usual = [served.row(row, **changed.beside) for row in some]
            other = [served.row({**r, **changed.beside, parameter: changed.value}) for r in some]
            before, after = ([served.answer(row) for row in asked] for asked in (usual, other))
            if tells := any(map(_differ, before, after)):
                break
        assert tells, f"{parameter} = {changed.value!r} tells nothing"
        if parameter not in served.task.group_by:
            same(served.run([usual[0], *other, usual[-1]]), [before[0], *after, before[-1]])

    def test_rows_of_one_batch_have_their_own_parameters(self, served: Served) -> None:
        if not served.backend.rows_have_own or served.pair.backend == "stub":
            return
        rows = [
            served.row({**fields, **changed.beside, name: changed.value})
            for name in served.task.own
            if (changed := served.case.changed.get(name)) and name not in served.pair.deaf
            for fields in (changed.rows or served.case.rows)[:2]
        ]
        same(served.run(rows), [served.answer(row) for row in rows])

    def test_an_unknown_parameter_is_refused_by_its_name(
        self, served: Served, workshop: Workshop, pair: Pair
    ) -> None:
        with pytest.raises(InvalidRequest, match="no_such_parameter"):
            served.row(served.case.rows[0], no_such_parameter=1)
        with pytest.raises((ValueError, ModelRefused), match="no_such_parameter"):
            workshop.made(pair, no_such_parameter=1).load()

    def test_half_a_surrogate_pair_is_refused_by_its_field(self, served: Served) -> None:
        for spec in served.task.inputs:
            if spec.content == "text" and not spec.optional:
                value = served.case.rows[0][spec.field]
                with pytest.raises(InvalidRequest, match=spec.field):
                    served.row({**served.case.rows[0], spec.field: _marked(value, "a\ud800")})

    def test_answers_keep_to_their_schema_and_travel(self, served: Served) -> None:
        output = served.task.output.join(served.alone)
        assert served.task.output.model_validate(output.model_dump()) == output
        response = output.response("model")
        form = served.task.of_any_model or served.task  # rows of a graph are JSON objects here
        declared = {spec.name: spec for spec in form.outputs}
        assert {tensor.name for tensor in response.outputs} <= declared.keys()
        for tensor in response.outputs:
            tensor.check()
            assert tensor.datatype == declared[tensor.name].datatype
            assert len(tensor.shape) == len(declared[tensor.name].metadata().shape)
        for binary in (False, True):
            body, header_length = codec.encode_response(response, binary=binary)
            read = served.task.output.of(codec.decode_response(body, header_length))
            assert unlike(read.model_dump(), output.model_dump()) == ""

    @pytest.mark.slow  # a second load of each; test_live_models unloads and loads in a fleet
    def test_a_model_can_be_closed_and_loaded_again(
        self, served: Served, workshop: Workshop, pair: Pair
    ) -> None:
        second = workshop.make(pair)
        same(second.run(served.rows[:1]), served.alone[:1])
        inner = [name for name in ("detector", "voice") if hasattr(second, name)]
        holder = getattr(second, inner[0]) if inner else second
        held = {name: one for name, one in vars(holder).items() if one is not None}
        second.close()
        let_go = {n: weakref.ref(held[n]) for n in held if getattr(holder, n, None) is None}
        del held
        gc.collect()
        assert let_go or pair.backend == "stub"
        assert not [name for name, one in let_go.items() if one() is not None], "still held"
        second.load()
        same(second.run(served.rows[:1]), served.alone[:1])
        second.close()


def _differ(one: TaskOutput, other: TaskOutput) -> bool:
    return unlike(one.model_dump(), other.model_dump()) != ""


def _unreadable(row: TaskInput) -> TaskInput:
    """The same row with a text or file in it that the stub refuses."""
    field = row.ROWS[0]
    return row.model_copy(update={field: _marked(getattr(row, field))})


def _marked(value: Any, text: str = UNREADABLE) -> Any:
    """A value whose last text or file is another."""
    if isinstance(value, Mapping):
        *_, last = value
        return {**value, last: _marked(value[last], text)}
    if isinstance(value, list):
        return [*value[:-1], _marked(value[-1], text)]
    return value + text.encode() if isinstance(value, bytes) else text
