"""The house stands as pyproject.toml and docs/architecture.md say."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "wherry"
ROOMS = (
    "api",
    "client",
    "jobs",
    "ops",
    "protocol",
    "runs",
    "samples",
    "tasks",
    "telemetry",
    "workers",
)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

#: Files that code reads beside itself, so a wheel must carry them.
DATA_SUFFIXES = {".json", ".lua", ".onnx", ".safetensors", ".tmpl", ".toml"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_a_relative_link_to_its_folder(room: str) -> None:
    link = PACKAGE / room
    # A checkout without links would build a wheel without rooms, in silence.
    assert link.is_symlink()
    assert link.readlink() == Path("../..") / room
    assert link.resolve() == ROOT / room


def test_there_is_nothing_else_in_the_package() -> None:
    found = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert found == {*ROOMS, "__init__.py", "py.typed"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_for(room: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
    assert docstring is not None
    assert docstring.lower().startswith(f"{room}: ")


@pytest.mark.parametrize("room", ROOMS)
def test_a_folder_of_code_says_what_it_is_for(room: str) -> None:
    # Without its file it is a package all the same, and in the wheel: nothing else would miss it.
    for folder in {path.parent for path in (ROOT / room).rglob("*.py")}:
        opening = folder / "__init__.py"
        assert opening.is_file(), opening
        assert ast.get_docstring(ast.parse(opening.read_text())), opening


def test_the_wheel_carries_every_data_file() -> None:
    globs = PYPROJECT["tool"]["setuptools"]["package-data"]["wherry"]
    suffixes = {path.suffix for room in ROOMS for path in (ROOT / room).rglob("*")}
    for suffix in suffixes & DATA_SUFFIXES:
        assert f"**/*{suffix}" in globs


def test_pyright_checks_every_room() -> None:
    # It follows a link that is named, none that it meets, and says nothing about that.
    included = set(PYPROJECT["tool"]["pyright"]["include"])
    assert included >= {f"src/wherry/{room}" for room in ROOMS}


def test_every_extra_is_part_of_all() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    reached, waiting = set(), ["all"]
    while waiting:
        extra = waiting.pop()
        reached.add(extra)
        for requirement in extras[extra]:
            if requirement.startswith("wherry["):
                waiting += requirement.removeprefix("wherry[").rstrip("]").split(",")
    # torchvision's wheels on PyPI are for CUDA, and break transformers beside a torch for CPUs.
    # redis-py imports OpenTelemetry's SDK where it is installed, which takes time at each start.
    # Lance's library takes 217 MB for one format.
    assert reached == set(extras) - {"lance", "otel", "timm", "torchvision"}


def test_constraints_pin_exactly_and_name_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in lines
    for line in lines:
        name, _, version = line.partition("==")
        assert name
        assert version
        assert not set("@/+ ") & set(line), line
