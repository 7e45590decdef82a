"""`wherry new-task`: the files and rows of a task, ready to be changed, from ops/templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import Template

from ..tasks.base import Family

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class NewTaskError(ValueError):
    """The task cannot be made; nothing was written."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the skeletons of a family differ."""

    input_import: str
    input_class: str
    input: str
    field: str
    things: str
    sample: str
    control: str
    max_row_cost: str
    default_model: str
    tiny: str
    backend: str
    sample_import: str
    more_fields: str = "top_k=2"


_IMAGES = _Kind(
    input_import="from .images import MAX_PIXELS, ImagesInput",
    input_class="ImagesInput",
    input="image",
    field="images",
    things="Images",
    sample="PNG",
    control="image",
    max_row_cost="MAX_PIXELS",
    default_model="google/vit-base-patch16-224",
    tiny="image-classification",
    backend="images",
    sample_import="PNG",
)

_KINDS: Mapping[Family, _Kind] = {
    "vision": _IMAGES,
    "multimodal": replace(
        _IMAGES, input_import="from ..vision.images import MAX_PIXELS, ImagesInput"
    ),
    "audio": _Kind(
        input_import="from .sounds import SoundsInput",
        input_class="SoundsInput",
        input="audio",
        field="audio",
        things="Sounds",
        sample="PCM",
        control="audio",
        max_row_cost="300_000",
        default_model="superb/wav2vec2-base-superb-ks",
        tiny="audio-classification",
        backend="sounds",
        sample_import="PCM, SAMPLE_RATE",
        more_fields="sample_rate=SAMPLE_RATE, top_k=2",
    ),
    "text": _Kind(
        input_import="from .texts import MAX_TOKENS, TextsInput",
        input_class="TextsInput",
        input="text",
        field="texts",
        things="Texts",
        sample="TEXT",
        control="text",
        max_row_cost="MAX_TOKENS",
        default_model="distilbert/distilbert-base-uncased-finetuned-sst-2-english",
        tiny="text-classification",
        backend="texts",
        sample_import="TEXT",
    ),
}


def checkout() -> Path:
    """The repository that this package is run from. Raises NewTaskError for an installed one."""
    root = Path(__file__).resolve().parents[1]
    if not (root / "pyproject.toml").exists():
        raise NewTaskError("this Wherry is no checkout; name one with --root")
    return root


def write_task(root: Path, name: str, family: Family) -> list[Path]:
    """Write a task, its transformers backend and its test, and register both.

    Answers the files it wrote or changed. Raises NewTaskError, and writes nothing, for a name that
    is none or is taken.
    """
    if not _NAME.fullmatch(name):
        raise NewTaskError(f"{name!r}: a task's name is lower-case words with hyphens between")
    module, kind = name.replace("-", "_"), _KINDS[family]
    class_name = "".join(word.capitalize() for word in name.split("-"))
    values = {
        **asdict(kind),
        "name": name,
        "module": module,
        "family": family,
        "class_name": class_name,
        "test_imports": "\n".join(
            sorted(
                [
                    f"from wherry.tasks.{family}.{module} import TASK, {class_name}Input, "
                    f"{class_name}Output",
                    "from wherry.tasks.create import LocalTask, create_task",
                ]
            )
        ),
        "title": name.replace("-", " ").capitalize(),
    }
    made = {
        root / "tasks" / family / f"{module}.py": "task",
        root / "tasks/backends/transformers" / family / f"{module}.py": f"backend_{kind.backend}",
        root / "tests/tasks/backends" / family / f"test_{module}.py": "test",
    }
    for file in made:
        if file.exists():
            raise NewTaskError(f"{file} is there already")
    tables = _registered(
        root, name, f"{family}.{module}", f"transformers.{family}.{module}:{class_name}"
    )
    for file, template in made.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        text = (_TEMPLATES / f"{template}.py.tmpl").read_text(encoding="utf-8")
        file.write_text(Template(text).substitute(values), encoding="utf-8")
    for file, text in tables.items():
        file.write_text(text, encoding="utf-8")
    return [*made, *tables]


def _registered(root: Path, name: str, task: str, backend: str) -> dict[Path, str]:
    """The two tables with a row more each."""
    registry, backends = root / "tasks/registry.py", root / "tasks/backends/__init__.py"
    for file in (registry, backends):
        if not file.exists():
            raise NewTaskError(f"{root} is no checkout of Wherry: it has no {file.name}")
    return {
        registry: with_row(registry.read_text(encoding="utf-8"), "_TASKS = {", name, task),
        backends: with_row(
            backends.read_text(encoding="utf-8"), '    "transformers": {', name, backend
        ),
    }


def with_row(text: str, opening: str, key: str, value: str) -> str:
    """A program's text with a row more in the sorted table that begins with the line `opening`.

    Raises NewTaskError when the table has the key, or is not there.
    """
    lines = text.splitlines()
    if opening not in lines:
        raise NewTaskError(f"no table begins with {opening!r}")
    first = lines.index(opening) + 1
    indent = " " * (len(opening) - len(opening.lstrip()))
    last = lines.index(f"{indent}}}" + ("," if indent else ""), first)
    keys = [line.split('"')[1] for line in lines[first:last] if line.strip().startswith('"')]
    if key in keys:
        raise NewTaskError(f"there is a task {key!r} already")
    place = first + sum(existing < key for existing in keys)
    lines.insert(place, f'{indent}    "{key}": "{value}",')
    return "\n".join(lines) + "\n"
