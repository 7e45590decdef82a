"""What docs/ tells others to import stays importable under that name: it is the public API."""

from __future__ import annotations

import ast
import importlib
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from wherry.tasks import entry_points

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: module:name, as pages import them. A row goes with a major version only, and with a line in
#: CHANGELOG.md. docs/tasks, which is made of the tasks themselves, imports more, of the same kind.
PUBLIC = {
    "wherry.client:AsyncClient",
    "wherry.client:Client",
    "wherry.client.annotate.formats.jsonl:read_annotations",
    "wherry.client.cvat:create",
    "wherry.client.pixano:WherryProvider",
    "wherry.client.pixano:types",
    "wherry.client.webhooks:verify",
    "wherry.protocol:errors",
    "wherry.protocol.errors:RowError",
    "wherry.protocol.errors:WherryError",
    "wherry.tasks.backends.base:Backend",
    "wherry.tasks.backends.classify:classification",
    "wherry.tasks.backends.onnx.images:ImageAdapter",
    "wherry.tasks.backends.onnx.preprocess:graph_size",
    "wherry.tasks.backends.onnx.preprocess:plain",
    "wherry.tasks.backends.sizes:Exact",
    "wherry.tasks.base:Aliases",
    "wherry.tasks.base:Example",
    "wherry.tasks.base:Task",
    "wherry.tasks.base:TaskInput",
    "wherry.tasks.base:TaskOutput",
    "wherry.tasks.base:Widget",
    "wherry.tasks.create:create_task",
    "wherry.tasks.labels:LABEL",
    "wherry.tasks.labels:SCORE",
    "wherry.tasks.labels:ClassificationResult",
    "wherry.tasks.labels:LabelsOutput",
    "wherry.tasks.samples:TEXT",
}

#: How other packages bring their own: names in their metadata, so names for good.
GROUPS = {"wherry.tasks", "wherry.backends", "wherry.onnx_adapters", "wherry.console"}

#: How attributes of spans begin, which are no names of Python.
ATTRIBUTES = ("wherry.job.", "wherry.request.")

_FENCE = re.compile(r"^( *)```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"^(?:>>> )?(from wherry[\w.]* import (?:\([^)]*\)|[^\n#]*))", re.MULTILINE)
_SPOKEN = re.compile(r"`(wherry(?:\.\w+){2,})`")


def imports(page: Path) -> Iterator[str]:
    """module:name of everything of ours that a page's Python imports."""
    for _, code in _FENCE.findall(page.read_text(encoding="utf-8")):
        for line in _IMPORT.findall(textwrap.dedent(code)):
            for node in ast.walk(ast.parse(line)):
                if isinstance(node, ast.ImportFrom):
                    yield from (f"{node.module}:{alias.name}" for alias in node.names)


def resolve(dotted: str) -> object:
    """What a dotted name stands for: a module, or something in one."""
    module, rest = dotted, ""
    while True:
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            if not module:
                raise
            rest = f"{name}.{rest}" if rest else name
            continue
        for name in filter(None, rest.split(".")):
            found = getattr(found, name)
        return found


def test_pages_import_what_is_public() -> None:
    written = {n for page in PAGES if page.parent.name != "tasks" for n in imports(page)}
    tasks = {n for n in written if re.match(r"wherry\.tasks\.(audio|multimodal|text|vision)\.", n)}
    assert written - tasks == PUBLIC


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_is_there(page: Path) -> None:
    for name in {*imports(page), *_SPOKEN.findall(page.read_text(encoding="utf-8"))}:
        if name not in GROUPS and not name.startswith(ATTRIBUTES):
            resolve(name.replace(":", "."))


def test_public_names_are_there() -> None:
    for name in PUBLIC:
        resolve(name.replace(":", "."))


def test_entry_points_keep_their_groups() -> None:
    assert set(get_args(entry_points.Group)) == GROUPS
    shown = re.findall(r'entry-points\."([\w.]+)"', "\n".join(p.read_text() for p in PAGES))
    assert set(shown) == GROUPS
