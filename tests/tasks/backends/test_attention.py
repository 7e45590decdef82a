"""How attention is computed can be chosen, and what is not there is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.cuda_candidates import CudaFacts, cuda_candidates
from wherry.tasks.backends.device import Device
from wherry.tasks.base import TaskOutput
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check.model import check_model

TASK = "text-classification"


def loaded(folder: Path, task: str = TASK, **parameters: Any) -> Any:
    backend = create_backend("transformers", task, str(folder), device=Device(), **parameters)
    backend.load()
    return backend


def test_an_attention_that_is_asked_for_is_computed(tiny_model: Callable[[str], Path]) -> None:
    folder, answers = tiny_model(TASK), []
    for attention in ("eager", "sdpa"):
        backend = loaded(folder, attention=attention)
        assert backend.model.config._attn_implementation == attention
        (answer,) = backend.run([backend.example()])
        assert isinstance(answer, TaskOutput)
        answers.append([label["score"] for label in answer.model_dump()["results"][0]])
    assert answers[0] == pytest.approx(answers[1], abs=1e-5)


@pytest.mark.parametrize(
    ("attention", "said"),
    [
        ("fast", "attention 'fast': use eager, sdpa, flash_attention_2"),
        ("flash_attention_2", "attention 'flash_attention_2' needs a GPU with CUDA"),
    ],
)
def test_an_attention_that_is_not_there_is_refused(
    tiny_model: Callable[[str], Path], attention: str, said: str
) -> None:
    with pytest.raises(ModelRefused, match=said):
        loaded(tiny_model(TASK), attention=attention)


def test_an_attention_that_the_model_has_not_is_refused(
    tiny_model: Callable[[str], Path],
) -> None:
    task = "visual-question-answering"  # ViLT
    with pytest.raises(ModelRefused, match=r"attention 'sdpa': .*does not support.*leave it out"):
        loaded(tiny_model(task), task, attention="sdpa")


def test_a_check_knows_the_words(tmp_path: Path) -> None:
    declared = ModelDeclaration(
        name="m",
        task=TASK,
        backend="transformers",
        source=str(tmp_path),
        parameters={"attention": "flash_attention"},
    )
    assert any("attention 'flash_attention'" in fault.text for fault in check_model(declared))


def test_what_a_gpu_may_be_tried_with() -> None:
    facts = CudaFacts(True, True, ["TensorrtExecutionProvider", "CUDAExecutionProvider"])
    fast = cuda_candidates(facts, exact=False)
    assert fast[0] == ("transformers", {"dtype": "bfloat16", "attention": "flash_attention_2"})
    assert ("transformers", {"dtype": "float16", "attention": "sdpa"}) in fast
    assert fast[-2:] == [
        ("onnxruntime", {"providers": ["TensorrtExecutionProvider"]}),
        ("onnxruntime", {}),
    ]
    old = cuda_candidates(CudaFacts(bfloat16=False, flash_attention=False), exact=False)
    assert [one.parameters["dtype"] for one in old] == ["float16", "float16"]
    exact = cuda_candidates(facts, exact=True)
    assert {one.parameters.get("dtype", "float32") for one in exact} == {"float32"}
    assert all("flash" not in str(one.parameters) for one in exact)
