"""What every task must have; a new one fails here until it is whole."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from wherry.protocol import codec
from wherry.protocol.request_check import check_inputs
from wherry.tasks.base import Control, Family, Renderer, TaskInput, TaskOutput
from wherry.tasks.registry import get_task, task_names, task_of

pytestmark = pytest.mark.parametrize("name", task_names())


def test_it_says_what_it_is(name: str) -> None:
    task = get_task(name)
    assert task.name == name
    assert task.family in get_args(Family)
    assert task.title
    assert task.description.endswith(".")
    assert task.input.__doc__
    assert task.output.__doc__
    assert task.max_row_cost > 0
    assert task.default_model


def test_its_tensors_fill_fields(name: str) -> None:
    task = get_task(name)
    assert {spec.field for spec in task.inputs} <= set(task.input.model_fields)
    assert {spec.field for spec in task.outputs} <= set(task.output.model_fields)
    assert set(task.input.ROWS) <= {spec.field for spec in task.inputs}
    assert len(task.output.empty().rows()) == 1


def test_its_parameters_are_described(name: str) -> None:
    task = get_task(name)
    assert {p.name for p in task.parameters} == set(task.input.parameter_names())
    assert set(task.group_by) <= set(task.input.parameter_names())
    assert set(task.own) <= set(task.input.parameter_names()) - set(task.group_by)
    assert set(task.of_one_size) <= set(task.own)
    for parameter in task.parameters:
        assert parameter.schema["description"], parameter.name
        assert {"type", "anyOf", "enum", "$ref"} & set(parameter.schema), parameter.name


def test_it_has_a_widget_and_aliases(name: str) -> None:
    task = get_task(name)
    assert len(task.widget.controls) == len(task.inputs), "a control for each tensor"
    assert set(task.widget.controls) <= set(get_args(Control))
    assert task.widget.renderer in get_args(Renderer)
    known = task.aliases
    for alias in filter(None, (*known.huggingface, *known.pixano, known.instill)):
        assert task_of(alias).input is not None


@pytest.mark.parametrize("binary", [False, True])
def test_its_golden_example_survives_the_wire(name: str, *, binary: bool) -> None:
    task = get_task(name)
    inputs, output = task.example.input, task.example.output
    assert isinstance(inputs, task.input)
    assert isinstance(output, task.output)
    assert len(output.rows()) == inputs.row_count
    body, header_length = codec.encode_request(inputs.to_inference_request(), binary=binary)
    request = codec.decode_request(body, header_length)
    optional = frozenset(spec.name for spec in task.inputs if spec.optional)
    check_inputs(
        request,
        [spec.metadata() for spec in task.inputs],
        [spec.metadata() for spec in task.outputs],
        optional=optional,
    )
    assert task.input.from_inference_request(request) == inputs
    response = output.to_inference_response(name)
    there = [tensor.name for tensor in response.outputs]
    wanted = [spec.name for spec in task.outputs if spec.name in there or not spec.optional]
    assert there == wanted
    for tensor in response.outputs:
        tensor.check()
    body, header_length = codec.encode_response(response, binary=binary)
    assert task.output.from_inference_response(codec.decode_response(body, header_length)) == output


def test_rows_split_and_join(name: str) -> None:
    task = get_task(name)
    inputs, output = task.example.input, task.example.output
    fields = {field: list(getattr(inputs, field) or ()) * 2 for field in inputs.ROWS}
    twice: TaskInput = inputs.model_copy(update={k: v for k, v in fields.items() if v})
    rows = twice.rows()
    assert len(rows) == 2 * inputs.row_count
    assert type(inputs).model_validate(dict(rows[0])) == inputs.rows()[0]
    joined: TaskOutput = task.output.join([*output.rows(), task.output.empty()])
    assert len(joined.rows()) == len(output.rows()) + 1
    for tensor in joined.to_inference_response(name).outputs:
        tensor.check()


def test_rows_have_a_cost(name: str) -> None:
    inputs = get_task(name).example.input
    costs = inputs.costs()
    assert len(costs) == inputs.row_count
    assert 0 < min(costs) <= max(costs) <= get_task(name).max_row_cost


def test_its_schemas_are_json(name: str) -> None:
    task = get_task(name)
    json.dumps([task.input.model_json_schema(), task.output.model_json_schema()])
