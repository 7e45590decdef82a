"""docs/models.md, from the verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from . import verdicts
from .judging import Verdict, Word
from .known import reason_of

FILE = Path(__file__).parents[2] / "docs" / "models.md"

_SERVED = ("yes", "yes, in equal-length groups", "one by one")
_HEAD = """# Which models are served

Does Wherry serve *your* model? Its type is `model_type` in its `config.json`: look for it below,
under the task. Every type that transformers {version} lists for a task is here, {pairs} pairs of
task and type. {tried} of them were tried with a tiny model of random weights, each in a process of
its own:

- loaded as a worker loads it, by the backend `transformers`;
- rows of several lengths, alone and in one batch, must be answered the same: numbers within 0.001,
  texts and labels exactly;
- and as transformers' own pipeline or documented call answers each of them.

Random weights show how a model is called, never how good it is. Not here are the tasks of models
that are not transformers' own: `text-to-image` (diffusers), `tabular-classification` and
`tabular-regression` (scikit-learn), `tensor` (any ONNX graph), `custom`.

| word | meaning |
|---|---|
| yes | all of that is so |
| yes, in equal-length groups | the same, but only rows of one length share a forward |
| one by one | the same, but each row has a forward of its own |
| refused | the model is not loaded; the reason is Wherry's own |
| needs | not tried: transformers wants a package that was not installed |
| wrong | a fault of ours that is known and not mended yet |
| cannot be built | not tried: no tiny model could be made, or its documented call fails |
| not tried | by the last `make models` |

`make models` tries all and writes this page; a test fails when it would change, or when
transformers lists other types.

## Summary

"""


def write() -> None:
    """Write the page."""
    FILE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The page, as the verdicts have it."""
    version, found = verdicts.read()
    tasks: dict[str, list[Verdict]] = {}
    for verdict in found.values():
        tasks.setdefault(verdict.task, []).append(verdict)
    untried = {"needs", "cannot be built", "not tried"}
    tried = sum(verdict.word not in untried for verdict in found.values())
    parts = [_HEAD.format(version=version, pairs=len(found), tried=tried), _summary(tasks)]
    parts += [_section(task, tasks[task]) for task in sorted(tasks)]
    return "".join(parts)


def _summary(tasks: dict[str, list[Verdict]]) -> str:
    words = get_args(Word)
    lines = ["| task | " + " | ".join(words) + " |", "|---" * (len(words) + 1) + "|"]
    for task in sorted(tasks):
        counts = [sum(one.word == word for one in tasks[task]) for word in words]
        cells = " | ".join(str(count or "") for count in counts)
        lines.append(f"| [{task}](#{task}) | {cells} |")
    return "\n".join(lines) + "\n"


def _section(task: str, found: Iterable[Verdict]) -> str:
    ordered = sorted(found, key=lambda one: one.kind)
    lines = [f"\n## {task}\n"]
    served = ((word, [f"`{o.kind}`" for o in ordered if o.word == word]) for word in _SERVED)
    lines += [f"**{word}** ({len(kinds)}): {', '.join(kinds)}\n" for word, kinds in served if kinds]
    others = [one for one in ordered if one.word not in _SERVED]
    if others:
        lines += ["| type | | why |", "|---|---|---|"]
        lines += [f"| `{one.kind}` | {one.word} | {_why(one)} |" for one in others]
        lines.append("")
    return "\n".join(lines)


def _why(verdict: Verdict) -> str:
    why = reason_of(verdict.task, verdict.kind) if verdict.word == "wrong" else verdict.why
    return (why or verdict.why).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
