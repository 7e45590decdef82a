"""One meaning a word: no class name means two things, and docs/glossary.md names what is there."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from .test_layout import ROOMS, ROOT

_TASK = "a task's name: once as it is done with any text encoder, once as Transformers' backend"
_MIRROR = "what the API answers, in the shape that the client reads: it imports nothing of jobs"

#: Class names that stand in two modules, and why nobody takes one for the other.
SHARED = {
    "Change": _MIRROR,
    "Embedding": _TASK,
    "FeatureExtraction": _TASK,
    "FillMask": _TASK,
    "ImageAnonymization": "a task's name, as each of its two backends has it",
    "QuestionAnswering": _TASK,
    "Ranking": _TASK,
    "SentenceSimilarity": _TASK,
    "TextClassification": _TASK,
    "TokenClassification": _TASK,
    "VideoMaskGenerationInput": "Pixano's name for it, which is also our task's",
    "VideoMaskGenerationOutput": "Pixano's name for it, which is also our task's",
    "ZeroShotClassification": _TASK,
}

#: `[word](../path)` in a glossary's last column: a class, a function, a member, or the path itself.
_LINK = re.compile(r"\[`([\w./]+)`\]\(\.\./([\w/]+\.py)\)")


def classes() -> dict[str, list[str]]:
    """Modules by the public classes that they define."""
    found: dict[str, list[str]] = defaultdict(list)
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for name in defined(path):
                if name[:1].isupper() and "." not in name:
                    found[name].append(str(path.relative_to(ROOT)))
    return found


@cache
def defined(path: Path) -> frozenset[str]:
    """Public classes and functions of a module, and the classes' members as Class.member."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names.update(f"{node.name}.{member}" for member in _members(node))
    return frozenset(name for name in names if not name.startswith("_"))


def _members(node: ast.ClassDef) -> Iterator[str]:
    for member in node.body:
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
            yield member.name
        elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            yield member.target.id


def terms() -> list[tuple[str, str]]:
    """The glossary's words, and what stands in their last column."""
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    return re.findall(r"^\| \*\*(.+?)\*\* \|.*\| ([^|]*) \|$", text, re.MULTILINE)


def test_a_class_name_stands_for_one_thing() -> None:
    twice = {name: modules for name, modules in classes().items() if len(modules) > 1}
    assert twice.keys() == SHARED.keys(), {
        name: twice.get(name) for name in twice.keys() ^ SHARED.keys()
    }


def test_a_word_is_explained_once() -> None:
    words = [word for word, _ in terms()]
    assert len(words) > 40
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize(("word", "bearers"), terms(), ids=[word for word, _ in terms()])
def test_what_bears_a_word_is_there(word: str, bearers: str) -> None:
    links = _LINK.findall(bearers)
    assert links, word
    assert len(links) == bearers.count("]("), bearers
    for name, path in links:
        assert (ROOT / path).is_file(), path
        if "/" not in name:
            assert name in defined(ROOT / path), (name, path)
