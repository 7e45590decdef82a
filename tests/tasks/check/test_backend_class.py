"""What is read from the backends' source is what Python makes of it."""

from __future__ import annotations

import importlib
import inspect

import pytest

from wherry.tasks.backends import backend_places
from wherry.tasks.check.backend_class import BackendClass
from wherry.tasks.check.dialects import dialect_places

PLACES = [
    (backend, task)
    for backend in ("stub", "transformers", "onnxruntime", "handler")
    for task in backend_places(backend)
]


def signature(cls: type) -> set[str] | None:
    """The arguments that a class and its bases take, as far as each hands on what it is given."""
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        arguments = inspect.signature(vars(base)["__init__"]).parameters.values()
        names |= {a.name for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)}
        if not any(a.kind is a.VAR_KEYWORD for a in arguments):
            break
    return names - {"self", "task", "source", "device", "handler_dir"}


@pytest.mark.parametrize(("backend", "task"), PLACES)
def test_parameters_are_those_of_the_signature(backend: str, task: str) -> None:
    place = backend_places(backend)[task]
    module, _, name = place.partition(":")
    cls = getattr(importlib.import_module(f"wherry.tasks.backends.{module}"), name)
    read = BackendClass.of(place)
    known = read.parameters()
    if known is not None:
        assert set(known) == signature(cls)
    auto_class = getattr(cls, "auto_class", "")
    assert read.auto_class() in ("", auto_class)


def test_what_is_given_to_another_is_left_to_it() -> None:
    onnx = backend_places("onnxruntime")
    assert BackendClass.of(onnx["embedding"]).parameters() is None
    assert BackendClass.of(onnx["image-anonymization"]).parameters() is None
    assert "dialect" in BackendClass.of(onnx["embedding"]).named()


@pytest.mark.parametrize("dialect", dialect_places())
def test_adapters_are_read_as_python_reads_them(dialect: str) -> None:
    place = dialect_places()[dialect]
    module, _, name = place.partition(":")
    cls = getattr(importlib.import_module(f"wherry.tasks.backends.{module}"), name)
    read = BackendClass.of(place)
    assert read.parameters() == signature(cls)
    assert read.tasks() == {*cls.tasks} != set()
    assert cls.dialect == dialect


@pytest.mark.parametrize(
    ("backend", "task", "package"),
    [
        ("transformers", "embedding", "torch"),
        ("transformers", "text-to-image", "diffusers"),
        ("transformers", "audio-classification", "soundfile"),
        ("transformers", "table-question-answering", "pandas"),
        ("onnxruntime", "embedding", "onnxruntime"),
        ("onnxruntime", "optical-character-recognition", "rapidocr"),
        ("onnxruntime", "text-to-speech", "hibari"),
    ],
)
def test_the_packages_are_those_that_are_imported(backend: str, task: str, package: str) -> None:
    assert package in BackendClass.of(backend_places(backend)[task]).packages()


def test_the_stub_needs_no_runtime() -> None:
    packages = BackendClass.of(backend_places("stub")["embedding"]).packages()
    assert not packages & {"torch", "transformers", "onnxruntime"}
