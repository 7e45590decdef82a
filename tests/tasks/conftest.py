"""Tiny models and their graphs, made once a run; trained ones of packages, once on this machine."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from wherry.samples.tiny import build
from wherry.tasks.export import export

from ..support import packaged, tiny
from ..support.once import once

#: How far a graph's answers may be from the model's.
TOLERANCE = 1e-3

pytest.register_assert_rewrite("tests.tasks.backends.contract.checks")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    # Two threads of torch beside a busy core are slower than one.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def tiny_model(run_folder: Path) -> Callable[[str], Path]:
    """The tiny model of a name in `wherry.samples.tiny.BUILDERS`."""

    @functools.cache
    def made(name: str) -> Path:
        return once(run_folder / "tiny" / name, functools.partial(build, name))

    return made


@pytest.fixture(scope="session")
def tiny_graph(run_folder: Path, tiny_model: Callable[[str], Path]) -> Callable[[str, str], Path]:
    """The graph of a tiny model, by its name and its task, as `wherry export` writes it."""

    @functools.cache
    def made(name: str, task: str) -> Path:
        def write(folder: Path) -> None:
            assert export(str(tiny_model(name)), folder, task) < TOLERANCE

        return once(run_folder / "graphs" / task / name, write)

    return made


@pytest.fixture(scope="session")
def packaged_model() -> Callable[[str], Path]:
    """The trained model of a name in `wherry.samples.packaged.BUILDERS`."""
    return packaged.model


@pytest.fixture(scope="session")
def vit(models: Path) -> Path:
    return tiny.vit(models / "vit")


@pytest.fixture(scope="session")
def clip_like(models: Path) -> Path:
    return tiny.clip_like(models / "clip-like")


@pytest.fixture(scope="session")
def processed(models: Path) -> Path:
    return tiny.processed(models / "processed")


@pytest.fixture(scope="session")
def yolos(models: Path) -> Path:
    return tiny.yolos(models / "yolos")


@pytest.fixture(scope="session")
def detr(models: Path) -> Path:
    return tiny.detr(models / "detr")


@pytest.fixture(scope="session")
def bert(models: Path) -> Path:
    return tiny.bert(models / "bert")
