"""What pages name of this repository is there: files, tests, pages and their headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PAGES.remove(ROOT / "CHANGELOG.md")  # it tells of what was, too

#: Folders of the repository whose files pages name from its root.
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."}

#: Files that a page has its reader make.
MADE = {
    "docs/adding-a-task.md": {
        "reading-level/reading_level/__init__.py",
        "reading-level/reading_level/backend.py",
        "reading-level/reading_level/task.py",
        "tasks/audio/bird_song.py",
        "tasks/backends/transformers/audio/bird_song.py",
        "tests/tasks/backends/audio/test_bird_song.py",
        "try_it.py",
    },
    "docs/onnx-adapters.md": {"photo-chance/photo_chance.py"},
    "docs/operations.md": {"torch.py"},
}

#: Every test there is.
TESTS = {
    name
    for path in (ROOT / "tests").rglob("*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
}

_FENCE = re.compile(r"^( *)```.*?^ *```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
_LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def paths(page: Path) -> set[str]:
    """What a page says in code that is a path from the root, or a file of Python or Lua."""
    said = {code for code in _CODE.findall(prose(page)) if _PATH.fullmatch(code)}
    whole = {path for path in said if "/" in path and path.split("/")[0] in FOLDERS}
    return (whole | {name for name in said if name.endswith((".py", ".lua"))}) - MADE.get(
        name_of(page), set()
    )


def is_there(path: str) -> bool:
    """Whether there is such a file, or one of that name anywhere; NAME stands for any."""
    path = path.replace("NAME", "*")
    folders = [ROOT] if path.split("/")[0] in FOLDERS else [ROOT / each for each in FOLDERS]
    deep = "" if len(folders) == 1 else "**/"
    return any(next(folder.glob(deep + path), None) for folder in folders)


def anchors(page: Path) -> set[str]:
    """How headings are called in links, as GitHub makes it of their text."""
    texts = [re.sub(r"[^\w\- ]", "", text.lower()) for text in _HEADING.findall(prose(page))]
    return {text.strip().replace(" ", "-") for text in texts}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_file_that_a_page_names_is_there(page: Path) -> None:
    assert {path for path in paths(page) if not is_there(path)} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_test_that_a_page_names_is_there(page: Path) -> None:
    named = {code for code in _CODE.findall(prose(page)) if re.fullmatch(r"test_\w+", code)}
    assert named - TESTS == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(prose(page)):
        led = (page.parent / target).resolve() if target else page
        assert led.exists(), target
        if anchor:
            assert anchor in anchors(led), f"{target}#{anchor}"


def test_every_page_is_found_from_the_readme() -> None:
    """By links alone, so that no page lies where nobody comes by."""
    found, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in found or page.suffix != ".md" or not page.is_file():
            continue
        found.add(page)
        ahead += [(page.parent / target).resolve() for target, _ in _LINK.findall(prose(page))]
    assert {name_of(page) for page in set(PAGES) - found} == set()
