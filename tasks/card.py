"""Everything that a task declares, as plain data: for whoever draws forms and pages of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..protocol import codec
from .base import ParameterSpec, Task
from .tensors import TensorSpec
from .text.generation import GenerationOutput

Schema = Mapping[str, Any]  # JSON Schema


def card(task: Task) -> dict[str, Any]:
    """A task as JSON."""
    return {
        "name": task.name,
        "title": task.title,
        "description": task.description,
        "family": task.family,
        "default_model": task.default_model,
        "input": {"module": task.input.__module__, "name": task.input.__qualname__},
        "inputs": [_input(task, spec) for spec in task.inputs],
        "outputs": [tensor(spec) for spec in task.outputs],
        "parameters": [_parameter(task, parameter) for parameter in task.parameters],
        "group_by": list(task.group_by),
        "own": list(task.own),
        "of_one_size": list(task.of_one_size),
        "cost_unit": task.cost_unit,
        "max_row_cost": task.max_row_cost,
        "aliases": {
            "huggingface": list(task.aliases.huggingface),
            "instill": task.aliases.instill,
            "pixano": list(task.aliases.pixano),
        },
        "widget": {"controls": list(task.widget.controls), "renderer": task.widget.renderer},
        "streams": issubclass(task.output, GenerationOutput),
    }


def example_of(task: Task) -> dict[str, Any]:
    """A task's golden example, as a request and its response in JSON."""
    request, _ = codec.encode_request(task.example.input.to_inference_request(), binary=False)
    output = task.example.output.to_inference_response(task.name)
    response, _ = codec.encode_response(output, binary=False)
    return {"request": json.loads(request), "response": json.loads(response)}


def _input(task: Task, spec: TensorSpec) -> dict[str, Any]:
    """A tensor of a request: the field that it fills, with what, and whether by the row."""
    return {
        **tensor(spec),
        "field": spec.field,
        "description": task.input.model_fields[spec.field].description or "",
        "a_row": spec.field in task.input.ROWS,
    }


def tensor(spec: TensorSpec) -> dict[str, Any]:
    """A tensor as JSON."""
    return {
        "name": spec.name,
        "datatype": spec.datatype.value,
        "shape": list(spec.shape),
        "content": spec.content,
        "optional": spec.optional,
    }


def tensor_line(spec: TensorSpec) -> str:
    """A tensor in a few words: `image BYTES [-1]`."""
    return f"{spec.name} {spec.datatype.value} {list(spec.shape)}" + "?" * spec.optional


def _parameter(task: Task, parameter: ParameterSpec) -> dict[str, Any]:
    schema = parameter.schema
    return {
        "name": parameter.name,
        "description": schema["description"],
        "type": type_of(task, parameter),
        "required": "default" not in schema,
        "default": schema.get("default"),
        "range": range_of(task, parameter),
        "forms": [_bare(form) for form in _forms(task, schema)],
    }


def _bare(form: Schema) -> dict[str, Any]:
    """One form of a parameter: what a value must be, without what is said of it elsewhere."""
    told = ("title", "description", "default")
    return {key: value for key, value in form.items() if key not in told}


def type_of(task: Task, parameter: ParameterSpec) -> str:
    """A parameter's type in words: `integer`, `list of string or null`, `blur | pixelate`."""
    return " or ".join(dict.fromkeys(_type(task, form) for form in _forms(task, parameter.schema)))


def range_of(task: Task, parameter: ParameterSpec) -> str:
    """The values a parameter may take: `1 to 10`, `> 0`, `at least 1 entries`; empty for any."""
    found = (_range(form) for form in _forms(task, parameter.schema))
    return ", ".join(dict.fromkeys(filter(None, found)))


def _forms(task: Task, schema: Schema) -> list[Schema]:
    """The alternatives of a schema, with what they refer to in place."""
    if "anyOf" in schema:
        return [form for option in schema["anyOf"] for form in _forms(task, option)]
    if "$ref" in schema:
        known = task.input.model_json_schema()["$defs"]
        return _forms(task, known[schema["$ref"].rpartition("/")[2]])
    return [schema]


def _type(task: Task, schema: Schema) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        options = _forms(task, schema.get("items", {}))
        return "list of " + " or ".join(_type(task, option) for option in options)
    return kind


def _bound(value: float) -> str:
    """A bound as one reads it: 2^63-1 says more than its nineteen digits."""
    if isinstance(value, int) and value >= 2**31 and (value + 1).bit_count() == 1:
        return f"2^{value.bit_length()}-1"
    return str(value) if isinstance(value, int) else f"{value:g}"


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        parts = [f"{_bound(least)} to {_bound(most)}"]
    else:
        signs = (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        parts = [f"{sign} {_bound(schema[key])}" for key, sign in signs if key in schema]
    for key, words in (
        ("minItems", "at least {} entries"),
        ("maxItems", "at most {} entries"),
        ("minLength", "at least {} characters"),
        ("maxLength", "at most {} characters"),
    ):
        if key in schema:
            parts.append(words.format(schema[key]))
    return ", ".join(parts)
