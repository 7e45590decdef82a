"""docs/tasks/, from the tasks' declarations: `make docs`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from inspect import getdoc
from pathlib import Path
from typing import Any

from ..protocol import codec
from ..tasks.base import Task
from ..tasks.card import range_of, type_of
from ..tasks.registry import get_task, task_names
from .python_source import source_of
from .task_card import backends_of

_INDEX = """\
# Tasks

What the fleet can do: one page a task, made by `make docs` from what the task declares. Each ends
with a golden example: an input and its answer as Python and as JSON; tests hold the pages against
the code. `wherry tasks` prints the same in a terminal, `wherry tasks --json` for machines;
[Adding a task](../adding-a-task.md) tells how more are made.
"""

_LEGEND = """\
Shapes have -1 where a request decides. A tensor of content `image` or `audio` holds whole files, in
JSON as base64 with the parameter `content_type: base64`; `json` is text that holds a JSON value.
Rows that differ in length are padded, and the parameter `row_lengths` says how much is real."""

#: Strings of more characters are shown by their beginning.
_LONGEST = 200
_WIDTH = 96


def render() -> dict[str, str]:
    """Every page by its file's name, as Markdown."""
    tasks = list(map(get_task, task_names()))
    pages = {f"{task.name}.md": _page(task) for task in tasks}
    return {"README.md": _index(tasks), **pages}


def write(folder: Path) -> None:
    """Write the pages; those of tasks that are gone go too."""
    pages = render()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def _index(tasks: Sequence[Task]) -> str:
    lines = [_INDEX, "| task | family | backends | what it does |", "|---|---|---|---|"]
    for task in sorted(tasks, key=lambda task: (task.family, task.name)):
        backends = ", ".join(name for name in backends_of(task) if name != "stub")
        lines.append(
            f"| [{task.name}]({task.name}.md) | {task.family} | {backends} "
            f"| {_cell(task.description)} |"
        )
    return "\n".join(lines) + "\n"


def _page(task: Task) -> str:
    lines = [f"# {task.title}", "", *_notes(task), "", *_facts(task), ""]
    lines += ["## Tensors", "", *_tensors(task), "", _LEGEND, ""]
    lines += ["## Parameters", "", *_parameters(task), ""]
    lines += ["## Golden example", "", *_example(task)]
    return "\n".join(lines) + "\n"


def _notes(task: Task) -> Iterator[str]:
    """What it does, and what its module says beyond its first paragraph."""
    yield task.description
    document = getdoc(sys.modules[task.input.__module__]) or ""
    for paragraph in document.split("\n\n")[1:]:
        yield from ("", paragraph)


def _facts(task: Task) -> Iterator[str]:
    known = task.aliases
    yield "| | |"
    yield "|---|---|"
    yield f"| name | `{task.name}` |"
    yield f"| family | {task.family}: workers of this family serve it |"
    yield f"| backends | {_code(backends_of(task))} |"
    yield f"| default model | `{task.default_model}` |"
    yield f"| a row costs | {task.cost_unit}, at most {task.max_row_cost:,} |"
    if task.group_by:
        yield f"| jobs share a batch when equal in | {_code(task.group_by)} |"
    if task.of_one_size:
        yield f"| and of one size (up to 64, then powers of four) in | {_code(task.of_one_size)} |"
    if task.own:
        yield f"| each row of a batch has its own | {_code(task.own)} |"
    if known.others:
        yield f"| models.toml may call it | {_code(known.others)} |"
    yield f"| Hugging Face calls it | {_code(known.huggingface) or '-'} |"
    yield f"| Instill calls it | {_code([known.instill] if known.instill else []) or '-'} |"
    yield f"| Pixano calls it | {_code(known.pixano) or '-'} |"
    yield f"| widget | {', '.join(task.widget.controls)} → {task.widget.renderer} |"


def _tensors(task: Task) -> Iterator[str]:
    yield "| | name | datatype | shape | content | field |"
    yield "|---|---|---|---|---|---|"
    for side, specs in (("in", task.inputs), ("out", task.outputs)):
        for spec in specs:
            shape = ", ".join(map(str, spec.shape))
            may = " (optional)" if spec.optional else ""
            yield (
                f"| {side} | `{spec.name}`{may} | {spec.datatype.value} | [{shape}] "
                f"| {spec.content} | `{spec.field}` |"
            )


def _parameters(task: Task) -> Iterator[str]:
    if not task.parameters:
        yield "None."
        return
    yield "| name | type | default | range | meaning |"
    yield "|---|---|---|---|---|"
    for parameter in task.parameters:
        schema = parameter.schema
        default = "required"
        if "default" in schema:
            text = json.dumps(schema["default"], ensure_ascii=False)
            default = "" if text == "null" else f"`{_cell(text)}`"
        yield (
            f"| `{parameter.name}` | {_cell(type_of(task, parameter))} | {default} "
            f"| {_cell(range_of(task, parameter))} | {_cell(schema['description'])} |"
        )


def _example(task: Task) -> Iterator[str]:
    inputs, output = task.example.input, task.example.output
    request, _ = codec.encode_request(inputs.to_inference_request(), binary=False)
    response, _ = codec.encode_response(output.to_inference_response(task.name))
    yield "In Python:"
    yield from ("", "```python", *source_of(inputs, "inputs"), "```", "")
    yield "sent by `Client().infer(model, inputs)`, or answered in this process by"
    yield f'`create_task("{_local(task)}", "{task.name}").process(inputs)`.'
    yield from ("", "As a request, to `POST /v2/models/<model>/infer` or `/jobs`:", "")
    yield from ("```json", pretty(json.loads(request)), "```", "")
    yield from ("and its response:", "", "```json", pretty(json.loads(response)), "```")


def _local(task: Task) -> str:
    return next((name for name in backends_of(task) if name != "stub"), "stub")


def pretty(value: Any, indent: int = 0) -> str:
    """JSON of any value, on one line where it fits; long strings are cut."""
    if isinstance(value, str):
        text = value if len(value) <= _LONGEST else f"{value[:48]}... ({len(value)} characters)"
        return json.dumps(text, ensure_ascii=False)
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {pretty(v, indent + 2)}" for k, v in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list):
        parts = [pretty(entry, indent + 2) for entry in value]
        opening, closing = "[", "]"
    else:
        return json.dumps(value)
    line = f"{opening}{', '.join(parts)}{closing}"
    if "\n" not in line and len(line) + indent <= _WIDTH:
        return line
    body = ",\n".join(inner + part for part in parts)
    return f"{opening}\n{body}\n{' ' * indent}{closing}"


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
