"""docs/models-toml.md, from the declarations and the backends' classes: `make docs`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping

from pydantic.fields import FieldInfo

from ..tasks.backends import backend_places
from ..tasks.catalog import ModelDeclaration
from ..tasks.check.backend_class import BackendClass, Described
from ..tasks.check.dialects import dialect_places
from ..tasks.check.parameters import GIVEN_TO
from ..tasks.vision.images import MAX_PIXELS

_HEAD = """\
# models.toml

Which models a fleet serves: a `[[models]]` table each. `wherry check models.toml` tells each fault
with its remedy, `wherry reload` has a running fleet read the file again
([live-models.md](live-models.md)). This page is made by `make docs` from the code.

```toml
[[models]]
name = "vit"
task = "image-classification"
source = "models/vit" # beside this file
max_batch_size = 16

[[models]]
name = "vit-on-torch"
task = "image-classification"
backend = "transformers"
source = "models/vit"
parameters = { dtype = "bfloat16", threads = 2 }
```

## Fields
"""

_BACKENDS = {
    "transformers": "Folders and hub ids of Hugging Face's transformers.",
    "onnxruntime": "Folders of [ONNX graphs](onnx-adapters.md); what dialects take stands below.",
    "openvino": "The same folders on [OpenVINO](onnx-adapters.md#openvino), by the same dialects.",
    "sklearn": "Folders of scikit-learn's estimators: `config.json` and a skops file.",
    "handler": "Code of your own, from `WHERRY_HANDLER_DIR`. It takes none.",
    "endpoint": "Models that [another server](endpoints.md) runs: `source` is its URL.",
    "stub": "Answers without a model, for tests and first runs.",
}

#: Defaults that have a name in the code.
_CONSTANTS = {"MAX_PIXELS": str(MAX_PIXELS)}

#: Python's words in those of TOML.
_TOML = {"True": "true", "False": "false", "''": '""'}


def render() -> str:
    """The page as Markdown."""
    lines = [*_HEAD.splitlines(), "", "| field | default | meaning |", "|---|---|---|"]
    lines += [_field(name, field) for name, field in ModelDeclaration.model_fields.items()]
    for backend, about in _BACKENDS.items():
        lines += ["", f"## Parameters of `{backend}`", "", about]
        lines += _table(_described(backend_places(backend)), "task")
    lines += ["", "## Parameters of ONNX dialects", ""]
    lines += ["For `onnxruntime` and `openvino`, beside their own."]
    lines += _table(_described(dialect_places()), "dialect")
    return "\n".join(lines) + "\n"


def _field(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    shown = "" if default in (None, [], {}) else _code(str(default))
    return f"| `{name}` | {'required' if field.is_required() else shown} | {field.description} |"


def _described(places: Mapping[str, str]) -> dict[str, dict[str, Described]]:
    """What each class takes, with what it hands on to that of another task."""
    taken = {name: BackendClass.of(place).described() for name, place in places.items()}
    for name, other in GIVEN_TO.items():
        if name in taken:
            taken[name] |= taken[other]
    return taken


def _table(takers: Mapping[str, Mapping[str, Described]], of: str) -> Iterator[str]:
    """A line for each parameter, said once for all that take it alike."""
    rows: dict[tuple[str, Described], list[str]] = {}
    for taker, taken in takers.items():
        for name, described in taken.items():
            rows.setdefault((name, described), []).append(taker)
    if not rows:
        return
    yield from ("", f"| parameter | type | default | {of}s | meaning |", "|---|---|---|---|---|")
    for (name, said), whose in sorted(rows.items(), key=lambda row: (-len(row[1]), row[0][0])):
        default = _code(_CONSTANTS.get(said.default, said.default))
        cells = (_code(name), _code(said.type), default, _named(whose, takers), said.meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _named(whose: Collection[str], of: Collection[str]) -> str:
    others = [name for name in of if name not in whose]
    if len(others) > len(whose):
        return ", ".join(whose)
    return f"all but {', '.join(others)}" if others else "all"


def _code(text: str) -> str:
    return f"`{_TOML.get(text, text)}`" if text not in ("", "None") else ""


if __name__ == "__main__":
    sys.stdout.write(render())
