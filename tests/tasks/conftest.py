"""Tiny models, made once a session; trained ones of packages, made once on this machine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from wherry.samples.tiny import build

from ..support import packaged, tiny

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
def tiny_model(models: Path) -> Callable[[str], Path]:
    """The tiny model of a name in `wherry.samples.tiny.BUILDERS`, built once a session."""

    @functools.cache
    def made(name: str) -> Path:
        return build(name, models / "built" / name)

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
