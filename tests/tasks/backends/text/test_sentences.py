"""Folders of sentence-transformers: both backends answer what that library itself answers."""

from __future__ import annotations

import importlib
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task
from wherry.tasks.export import export
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.text.sentence_similarity import (
    SentenceSimilarityInput,
    SentenceSimilarityOutput,
)

from ....support import tiny
from ....support.later import Later

library = Later("sentence_transformers")
st = Later("sentence_transformers.sentence_transformer.modules")

BACKENDS = ("transformers", "onnxruntime")
TEXTS = ["The quick brown fox", "hello", "", "lazy dog " * 30, "HÉLLO wörld ☂"]
POOLINGS = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
HIDDEN = 32

Module = Any  # sentence-transformers tells little of its types
#: Modules behind a tiny BERT, saved with it -> the folder, which holds a graph, too.
Saved = Callable[..., Path]


@pytest.fixture
def saved(bert: Path, tmp_path: Path) -> Saved:
    def save(*behind: Module, folder: str = "model", **more: Any) -> Path:
        torch.manual_seed(1)
        transformer: Module = st.Transformer(str(bert))
        model: Any = library.SentenceTransformer(
            modules=[transformer, *behind], device="cpu", **more
        )
        model.save(str(tmp_path / folder), create_model_card=False)
        shutil.copy(bert / "model.onnx", tmp_path / folder)
        return tmp_path / folder

    return save


def theirs(folder: Path, texts: list[str] = TEXTS, **options: Any) -> NDArray[np.float32]:
    model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    # One by one: that library's own batches are padded, and ours are not alike.
    vectors = [model.encode(text, **options) for text in texts]
    return np.stack([np.asarray(vector) for vector in vectors])


def ours(
    backend: str, folder: Path, texts: list[str] = TEXTS, **parameters: Any
) -> NDArray[np.float32]:
    with create_task(backend, "embedding", str(folder), parameters) as task:
        output = task.process(EmbeddingInput(texts=texts, normalize=False))
    assert isinstance(output, EmbeddingOutput)
    return np.array(output.embeddings, np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", [*POOLINGS, ("mean", "cls"), ("max", "weightedmean", "lasttoken")])
def test_every_pooling(saved: Saved, backend: str, mode: Any) -> None:
    folder = saved(st.Pooling(HIDDEN, pooling_mode=mode))
    assert ours(backend, folder) == pytest.approx(theirs(folder), abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_older_files_have_a_flag_for_each_pooling(saved: Saved, backend: str) -> None:
    folder = saved(st.Pooling(HIDDEN, pooling_mode="mean"))
    flags = {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}
    config = folder / "1_Pooling" / "config.json"
    config.write_text(json.dumps({"word_embedding_dimension": HIDDEN, **flags}))
    vectors = theirs(folder)
    assert vectors.shape[1] == 2 * HIDDEN
    assert ours(backend, folder) == pytest.approx(vectors, abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ["Tanh", "Identity", "ReLU", "GELU", "SiLU", "Sigmoid"])
def test_dense_with_its_activation(saved: Saved, backend: str, activation: str) -> None:
    layer = st.Dense(HIDDEN, 8, activation_function=getattr(torch.nn, activation)())
    folder = saved(st.Pooling(HIDDEN), layer)
    vectors = theirs(folder)
    assert vectors.shape[1] == 8
    assert ours(backend, folder) == pytest.approx(vectors, abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [8, HIDDEN])
def test_modules_in_a_row(saved: Saved, backend: str, size: int) -> None:
    folder = saved(
        st.Pooling(HIDDEN),
        st.Dense(HIDDEN, size, bias=False, use_residual=True),
        st.LayerNorm(size),
        st.Dropout(0.5),
        st.Dense(size, 4),
        st.Normalize(),
    )
    vectors = theirs(folder)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert ours(backend, folder) == pytest.approx(vectors, abs=1e-5)


@pytest.mark.parametrize("all_layers", [True, False])
def test_layers_are_weighted_where_the_model_gives_them(saved: Saved, all_layers: bool) -> None:
    weighted = st.WeightedLayerPooling(HIDDEN, num_hidden_layers=2, layer_start=1)
    weighted.layer_weights.data = torch.tensor([1.0, 3.0])
    folder = saved(weighted, st.Pooling(HIDDEN))
    tiny.edit_json(
        folder / "sentence_bert_config.json", config_kwargs={"output_hidden_states": all_layers}
    )
    vectors = theirs(folder)
    assert ours("transformers", folder) == pytest.approx(vectors, abs=1e-5)
    if all_layers:
        with pytest.raises(ModelRefused, match="WeightedLayerPooling needs"):
            ours("onnxruntime", folder)
    else:
        assert ours("onnxruntime", folder) == pytest.approx(vectors, abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_lengths_and_small_letters(saved: Saved, backend: str) -> None:
    folder = saved(st.Pooling(HIDDEN))
    told = folder / "sentence_bert_config.json"
    whole = theirs(folder)
    told.write_text(json.dumps({"max_seq_length": 8, "do_lower_case": True}))
    cut = theirs(folder)
    assert cut[3] != pytest.approx(whole[3], abs=1e-3)
    assert ours(backend, folder) == pytest.approx(cut, abs=1e-5)
    told.write_text(json.dumps({"max_seq_length": 10**6}))  # more than there are positions
    assert ours(backend, folder) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("mode", "include"),  # where it is included, a prompt is text as any other to each
    [("mean", True), ("mean", False), ("weightedmean", False), ("cls", False)],
)
def test_prompts(saved: Saved, backend: str, mode: Any, include: bool) -> None:
    folder = saved(
        st.Pooling(HIDDEN, pooling_mode=mode, include_prompt=include),
        prompts={"query": "find the fox: ", "nothing": ""},
        default_prompt_name="query",
    )
    texts = TEXTS[:2]
    default, named = theirs(folder, texts), theirs(folder, texts, prompt_name="nothing")
    assert default != pytest.approx(named, abs=1e-3)
    assert ours(backend, folder, texts) == pytest.approx(default, abs=1e-5)
    assert ours(backend, folder, texts, prompt_name="nothing") == pytest.approx(named, abs=1e-5)
    assert ours(backend, folder, texts, prompt="") == pytest.approx(named, abs=1e-5)
    with create_task(backend, "embedding", str(folder)) as task:
        asked = [
            EmbeddingInput(texts=[text], normalize=False, prompt_name=name)
            for text in texts
            for name in (None, "nothing", "quary")
        ]
        answers: list[Any] = list(task.backend.run(asked))
    assert np.array([each.embeddings[0] for each in answers[::3]]) == pytest.approx(
        default, abs=1e-5
    )
    if include:
        assert np.array([each.embeddings[0] for each in answers[1::3]]) == pytest.approx(
            named, abs=1e-5
        )
    else:  # how many tokens are left out is one number for all texts
        assert all("prompt_name: this model pools no" in each.message for each in answers[1::3])
    assert all("prompt_name: no prompt is called 'quary'" in e.message for e in answers[2::3])
    own = theirs(folder, texts, prompt="dog ")
    assert ours(backend, folder, texts, prompt="dog ") == pytest.approx(own, abs=1e-5)
    with pytest.raises(ModelRefused, match=r"no prompt is called 'quary'.*'query'"):
        ours(backend, folder, prompt_name="quary")


def test_an_older_layout_has_the_transformer_in_a_folder(saved: Saved, tmp_path: Path) -> None:
    folder = saved(st.Pooling(HIDDEN))
    vectors = theirs(folder)
    inner = folder / "0_Transformer"
    inner.mkdir()
    for file in [f for f in folder.iterdir() if f.is_file()]:
        if file.name not in ("modules.json", "config_sentence_transformers.json"):
            file.rename(inner / file.name)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0].update(path=inner.name, type="sentence_transformers.models.Transformer")
    (folder / "modules.json").write_text(json.dumps(modules))
    assert theirs(folder) == pytest.approx(vectors, abs=1e-5)
    assert ours("transformers", folder) == pytest.approx(vectors, abs=1e-5)
    shutil.copy(inner / "model.onnx", folder)
    with pytest.raises(ModelRefused, match="0_Transformer"):
        ours("onnxruntime", folder)


def test_a_graph_in_its_own_folder(saved: Saved) -> None:
    folder = saved(st.Pooling(HIDDEN), st.Dense(HIDDEN, 8))
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")
    assert ours("onnxruntime", folder) == pytest.approx(theirs(folder), abs=1e-5)


def test_t5s_encoder_alone(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    transformer: Module = st.Transformer(str(tiny_model("summarization")))
    model: Any = library.SentenceTransformer(
        modules=[transformer, st.Pooling(HIDDEN), st.Dense(HIDDEN, 8), st.Normalize()], device="cpu"
    )
    model.save(str(tmp_path / "t5"), create_model_card=False)
    texts = TEXTS[:2]
    assert ours("transformers", tmp_path / "t5", texts) == pytest.approx(
        theirs(tmp_path / "t5", texts), abs=1e-5
    )


SERVED = {"Transformer", "WeightedLayerPooling", "Pooling"}
SERVED |= {"Dense", "LayerNorm", "Normalize", "Dropout"}


def test_every_other_module_is_refused_by_name(saved: Saved) -> None:
    folder = saved(st.Pooling(HIDDEN))
    modules = json.loads((folder / "modules.json").read_text())
    named = importlib.import_module("sentence_transformers.sentence_transformer.modules").__all__
    others = {*named} - SERVED - {"Module", "InputModule"}
    assert others
    for kind, backend in itertools.product(sorted(others), BACKENDS):
        modules[0]["type"] = f"sentence_transformers.models.{kind}"
        (folder / "modules.json").write_text(json.dumps(modules))
        with pytest.raises(ModelRefused, match=rf"sentence_transformers\.models\.{kind}, which"):
            ours(backend, folder)


def test_a_module_of_other_code_is_refused(saved: Saved) -> None:
    folder = saved(st.Pooling(HIDDEN))
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "custom_st.Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelRefused, match=r"custom_st\.Pooling, which is not served"):
        ours("transformers", folder)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_floats(saved: Saved, kind: torch.dtype) -> None:
    folder = saved(st.Pooling(HIDDEN), st.Dense(HIDDEN, 8))
    file = folder / "2_Dense" / "model.safetensors"
    save_file({name: tensor.to(kind) for name, tensor in load_file(file).items()}, file)
    assert ours("onnxruntime", folder) == pytest.approx(theirs(folder), abs=1e-5)
    file.write_bytes(b"no weights")
    with pytest.raises(ModelRefused, match=r"2_Dense/model\.safetensors cannot be read"):
        ours("onnxruntime", folder)


@pytest.mark.parametrize("path", ["../1_Pooling", "/1_Pooling", "a/../../1_Pooling"])
def test_a_module_outside_of_the_folder_is_refused(saved: Saved, tmp_path: Path, path: str) -> None:
    folder = saved(st.Pooling(HIDDEN))
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelRefused, match="leads out of the folder"):
        ours("transformers", folder)
    with pytest.raises(ModelRefused, match="leads out of the folder"):
        export(str(folder), tmp_path / "exported", "embedding")


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_of_a_module_in_a_pickle_are_not_loaded(saved: Saved, backend: str) -> None:
    folder = saved(st.Pooling(HIDDEN), st.Dense(HIDDEN, 8))
    weights = folder / "2_Dense" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(ModelRefused, match=r"2_Dense holds no model\.safetensors; a pickle"):
        ours(backend, folder)


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        ("2_Dense/config.json", {"activation_function": "torch.nn.Hardtanh"}, "torch.nn.Hardtanh"),
        ("2_Dense/config.json", {"activation_function": "mine.Tanh"}, "activation mine.Tanh"),
        ("2_Dense/config.json", {"module_input_name": "token_embeddings"}, "token_embeddings"),
        ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "a SparseEncoder"),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "= fill-mask"),
        ("sentence_bert_config.json", {"modality_config": {"image": {}}}, "reads no text"),
    ],
)
def test_what_would_answer_otherwise_is_refused(
    saved: Saved, file: str, changes: dict[str, Any], told: str
) -> None:
    folder = saved(st.Pooling(HIDDEN), st.Dense(HIDDEN, 8))
    tiny.edit_json(folder / file, **changes)
    with pytest.raises(ModelRefused, match=told):
        ours("transformers", folder)


@pytest.mark.parametrize("backend", BACKENDS)
def test_similarity_is_of_the_same_vectors(saved: Saved, backend: str) -> None:
    folder = saved(
        st.Pooling(HIDDEN),
        st.Dense(HIDDEN, 8),
        prompts={"query": "fox "},
        default_prompt_name="query",
    )
    first, *others = theirs(folder)
    with create_task(backend, "sentence-similarity", str(folder)) as task:
        output = task.process(
            SentenceSimilarityInput(source_sentences=TEXTS[:1], sentences=[TEXTS[1:]])
        )
    assert isinstance(output, SentenceSimilarityOutput)
    lengths = np.linalg.norm(first) * np.linalg.norm(others, axis=1)
    assert output.scores[0] == pytest.approx(np.array(others) @ first / lengths, abs=1e-5)


def test_an_exported_folder_answers_alike(saved: Saved, tmp_path: Path) -> None:
    folder = saved(
        st.Pooling(HIDDEN), st.Dense(HIDDEN, 8), prompts={"q": "fox "}, default_prompt_name="q"
    )
    export(str(folder), tmp_path / "exported", "embedding")
    assert ours("onnxruntime", tmp_path / "exported") == pytest.approx(theirs(folder), abs=1e-5)
