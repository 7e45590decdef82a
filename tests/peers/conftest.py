"""Third-party clients in environments of their own, against one stack that serves every task.

A test of one call of one client is marked `call(client, call)`; what came of it goes to
docs/compatibility.md: `make compatibility` runs the tests and writes the page.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import subprocess
import venv
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples

from . import compatibility

#: name, requirements -> the Python of an environment that holds them.
Environment = Callable[..., Path]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Make an environment: `environment("hf", "huggingface_hub==2.4.0", same=("pillow",))`.

    Requirements that start with `--no-deps ` come without their own; packages named in `same` come
    in the version that we have.
    """

    @functools.cache
    def make(name: str, *requirements: str, same: tuple[str, ...] = ()) -> Path:
        folder = tmp_path_factory.mktemp(name)
        venv.create(folder, with_pip=True)
        python = folder / "bin" / "python"
        bare = [r.removeprefix("--no-deps ") for r in requirements if r.startswith("--no-deps ")]
        whole = [r for r in requirements if not r.startswith("--no-deps ")]
        whole += [f"{package}=={importlib.metadata.version(package)}" for package in same]
        for wanted in (["--no-deps", *bare] if bare else [], whole):
            if wanted:
                done = subprocess.run(
                    # Most of what comes along is never imported.
                    [python, "-m", "pip", "install", "--quiet", "--no-compile", *wanted],
                    capture_output=True,
                    text=True,
                )
                assert not done.returncode, f"{name}: {done.stderr[-2000:]}"
        return python

    return make


@pytest.fixture(scope="session")
def drive() -> Callable[..., list[dict[str, Any]]]:
    """Run a script of this folder in an environment; the lines of JSON that it prints."""

    def run(python: Path, script: str, *arguments: str | Path) -> list[dict[str, Any]]:
        done = subprocess.run(
            [python, Path(__file__).with_name(script), *arguments],
            capture_output=True,
            text=True,
            timeout=1800,  # the test that asks has its own, most often less
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a small real model for every task, each named after its task."""
    folder = tmp_path_factory.mktemp("stack")
    models = write_samples(Path(__file__).parents[2] / ".wherry" / "samples")  # built once
    with Stack(models=models, data_dir=folder, flower=False, grpc_port=0) as stack:
        yield stack


@pytest.fixture(scope="session")
def client(fleet: Stack) -> Iterator[Client]:
    """Our own client of that stack."""
    with Client(fleet.url) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what came of a marked call."""
    report = yield
    mark = item.get_closest_marker("call")
    if mark and (report.when == "call" or report.failed):
        compatibility.note(*mark.args, passed=report.passed)
    return report


def pytest_sessionfinish() -> None:
    """Write down what was seen, when asked to."""
    compatibility.save()
