"""A model is whole or refused: what a folder lacks is never made up, and no healthy one suffers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from wherry.protocol.errors import RowError
from wherry.samples.tiny import BUILDERS
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export
from wherry.tasks.registry import task_names
from wherry.tasks.text.text_classification import TextClassificationInput
from wherry.tasks.vision.image_feature_extraction import ImageFeatureExtractionInput

from ...support import tiny

TinyModel = Callable[[str], Path]
WEIGHTS = "model.safetensors"

#: Models whose tokenizer is a part of their folder.
READERS = (
    "audio-text-to-text",
    *("automatic-speech-recognition", "automatic-speech-recognition-ctc", "chat", "embedding"),
    *("document-question-answering", "fill-mask", "image-text-to-text", "image-to-text", "ranking"),
    *("optical-character-recognition", "question-answering", "table-question-answering"),
    *("text-classification", "text-to-audio", "text-to-speech", "text2text-generation"),
    *("multimodal-embedding", "visual-document-retrieval", "translation-nllb"),
    *("visual-question-answering", "zero-shot-audio-classification"),
    *("zero-shot-image-classification", "zero-shot-object-detection"),
)
TOKENIZER = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt")


def task_of(name: str) -> str:
    """The task of a tiny model."""
    named = [task for task in task_names() if name.startswith(task)]
    return max(named, key=len, default="text-classification")


@pytest.fixture
def copied(tiny_model: TinyModel, tmp_path: Path) -> TinyModel:
    """A tiny model's folder, to take something out of."""
    return lambda name: shutil.copytree(tiny_model(name), tmp_path / name)


def load(name: str, folder: Path, **parameters: Any) -> LocalTask:
    backend = "sklearn" if name.startswith("tabular") else "transformers"
    return create_task(backend, task_of(name), str(folder), parameters)


def without(folder: Path, *parts: str, file: str = WEIGHTS) -> list[str]:
    """Take weights out of a file by parts of their names; the names."""
    weights = load_file(folder / file)
    gone = [name for name in weights if any(part in name for part in parts)]
    save_file({k: v for k, v in weights.items() if k not in gone}, folder / file, {"format": "pt"})
    return gone


@pytest.mark.slow  # the contract suite loads all but a few of them, too
@pytest.mark.parametrize("name", BUILDERS)
def test_no_healthy_model_is_refused(tiny_model: TinyModel, name: str) -> None:
    load(name, tiny_model(name)).close()


@pytest.mark.parametrize(
    ("task", "builder", "lacks"),
    [
        ("text-classification", "embedding", "classifier.bias, classifier.weight"),
        ("token-classification", "embedding", "classifier.bias"),
        ("question-answering", "embedding", "qa_outputs.bias"),
        ("fill-mask", "embedding", "cls.predictions"),
        ("ranking", "embedding", "classifier.bias"),
        ("audio-classification", "automatic-speech-recognition-ctc", "classifier.bias"),
        ("automatic-speech-recognition", "audio-classification", "lm_head.bias"),
    ],
)
def test_a_model_without_the_tasks_head_is_refused(
    tiny_model: TinyModel, task: str, builder: str, lacks: str
) -> None:
    with pytest.raises(ModelRefused, match=rf"the weights lack {lacks}.*that was trained for it"):
        create_task("transformers", task, str(tiny_model(builder)))


def test_a_weight_that_is_not_there_is_named(copied: TinyModel) -> None:
    folder = copied("image-classification")
    without(folder, "layer.1.attention.")
    with pytest.raises(ModelRefused, match=r"lack vit\..*layers?\.1\..* and \d+ more"):
        load("image-classification", folder)


@pytest.mark.parametrize("name", ["image-classification", "text-classification", "embedding"])
def test_weights_of_other_shapes_are_refused(copied: TinyModel, name: str) -> None:
    folder = copied(name)
    changes: dict[str, Any] = {"vocab_size": 500}
    if name != "embedding":
        changes = {"id2label": {str(i): f"label {i}" for i in range(5)}, "label2id": None}
    tiny.edit_json(folder / "config.json", **changes)
    with pytest.raises(ModelRefused, match=r"has the shape \(.*\) in the weights, \(5"):
        load(name, folder)


@pytest.mark.parametrize(
    ("task", "config", "takes"),
    [
        ("image-to-text", "Kosmos2Config", "kosmos-2 .*serve it as image-text-to-text"),
        ("optical-character-recognition", "BlipConfig", "blip .*takes vision-encoder-decoder"),
        ("video-mask-generation", "EdgeTamVideoConfig", "edgetam_video .*takes sam2_video"),
        ("video-mask-generation", "Sam3VideoConfig", "sam3_video .*takes sam2_video"),
        ("text-classification", "ViTConfig", "vit .*AutoModelForSequenceClassification"),
        ("automatic-speech-recognition", "BertConfig", "bert .*takes .*wav2vec2"),
    ],
)
def test_another_kind_of_model_is_refused(
    tmp_path: Path, task: str, config: str, takes: str
) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": getattr(hf, config).model_type})
    )
    with pytest.raises(ModelRefused, match=rf"of type {takes}"):
        create_task("transformers", task, str(tmp_path))


@pytest.mark.parametrize("name", ["fill-mask", "embedding", "automatic-speech-recognition"])
def test_a_folder_without_a_config_is_refused(copied: TinyModel, name: str) -> None:
    folder = copied(name)
    (folder / "config.json").unlink()
    with pytest.raises(ModelRefused, match=r"^[^\n]*holds no config\.json[^\n]*$"):
        load(name, folder)


def test_an_adapter_is_not_passed_over(copied: TinyModel) -> None:
    folder = copied("text-classification")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(ModelRefused, match="an adapter .* merge it"):
        load("text-classification", folder)


@pytest.mark.parametrize("name", READERS)
def test_a_folder_without_a_tokenizer_is_refused(copied: TinyModel, name: str) -> None:
    folder = copied(name)
    for file in TOKENIZER:
        (folder / file).unlink(missing_ok=True)
    with pytest.raises(ModelRefused, match="the folder holds no tokenizer"):
        load(name, folder)


@pytest.mark.parametrize(
    "name",
    ["image-classification", "object-detection", "mask-generation-sam2", "audio-classification"],
)
def test_a_folder_without_a_processor_is_refused(copied: TinyModel, name: str) -> None:
    folder = copied(name)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelRefused, match=r"holds no preprocessor_config\.json"):
        load(name, folder)


def test_another_models_tokenizer_is_refused(copied: TinyModel, tmp_path: Path) -> None:
    folder = copied("fill-mask")
    words = {f"word{i}": i for i in range(200)}
    hf.BertTokenizer(vocab={**words, "[UNK]": 200}).save_pretrained(folder)
    with pytest.raises(ModelRefused, match=r"tokens up to 199, the model's vocabulary 121"):
        load("fill-mask", folder)
    large = tmp_path / "large"
    hf.BertForMaskedLM(hf.BertConfig(**tiny.SMALL, vocab_size=1000)).save_pretrained(large)
    hf.BertTokenizer(vocab={**words, "[UNK]": 200}).save_pretrained(large)
    with pytest.raises(ModelRefused, match=r"has 20\d tokens, the model's vocabulary 1000"):
        load("fill-mask", large)


def test_a_tokenizer_of_special_tokens_alone_is_refused(copied: TinyModel) -> None:
    folder = copied("text-classification")
    hf.BertTokenizer().save_pretrained(folder)
    with pytest.raises(ModelRefused, match="no tokens but special ones"):
        load("text-classification", folder)


def test_a_token_beyond_the_embedding_fails_its_text_alone(copied: TinyModel) -> None:
    """As Gemma 3's token for images does, where the model is of text alone."""
    folder = copied("text-generation")
    tokenizer: Any = hf.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<picture>"]})
    tokenizer.save_pretrained(folder)
    task = load("text-generation", folder)
    asked = [{"texts": [text], "max_new_tokens": 2} for text in ("a <picture>", "a cat")]
    bad, good = task.backend.run([task.task.input.model_validate(row) for row in asked])
    assert isinstance(bad, RowError)
    assert f"holds the token {len(tokenizer) - 1}" in bad.message
    assert not isinstance(good, RowError)


def unread(name: str) -> Iterable[str]:
    return {
        "audio-classification": ["masked_spec_embed"],
        "depth-estimation": ["layers.0.residual_layer1"],
        "image-to-text": ["encoder.pooler"],
        "embedding": ["pooler"],
    }[name]


@pytest.mark.parametrize(
    "name",
    ["audio-classification", "depth-estimation", "image-to-text", "embedding"],
)
def test_what_the_task_does_not_read_may_be_missing(copied: TinyModel, name: str) -> None:
    folder = copied(name)
    before = load(name, folder)
    row = before.backend.example()
    (answer,) = before.backend.run([row])
    assert without(folder, *unread(name))
    assert load(name, folder).backend.run([row]) == [answer]


def test_a_pooled_output_of_random_weights_is_not_given(copied: TinyModel) -> None:
    """A classifier's ViT has no pooler."""
    task = create_task(
        "transformers", "image-feature-extraction", str(copied("image-classification"))
    )
    image = tiny.images()[0]
    first, pooled = task.backend.run(
        [ImageFeatureExtractionInput(images=[image], pool=pool) for pool in (False, True)]
    )
    assert not isinstance(first, RowError)
    assert isinstance(pooled, RowError)


def test_older_names_of_weights_are_known(copied: TinyModel) -> None:
    """Weight norm had other names before torch 2."""
    folder = copied("text-to-speech")
    row = load("text-to-speech", folder).backend.example()
    (answer,) = load("text-to-speech", folder).backend.run([row])
    names = {"parametrizations.weight.original0": "weight_g"}
    names |= {"parametrizations.weight.original1": "weight_v"}
    weights = {}
    for name, tensor in load_file(folder / WEIGHTS).items():
        old = next((name.replace(k, v) for k, v in names.items() if k in name), name)
        weights[old] = tensor
    assert any(name.endswith("weight_g") for name in weights)
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    assert load("text-to-speech", folder).backend.run([row]) == [answer]


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_pipelines_model_that_lacks_weights_is_refused(copied: TinyModel, part: str) -> None:
    folder = copied("text-to-image")
    (file,) = (folder / part).glob("*.safetensors")
    gone = without(folder, "conv_out.weight", "final_layer_norm.bias", file=f"{part}/{file.name}")
    with pytest.raises(ModelRefused, match=rf"{part}: the weights lack .*{gone[0][-12:]}"):
        load("text-to-image", folder)


def test_a_pipeline_without_a_part_is_refused(copied: TinyModel) -> None:
    folder = copied("text-to-image")
    (folder / "tokenizer" / "tokenizer.json").rename(folder / "kept")
    with pytest.raises(ModelRefused, match="tokenizer: the folder holds no tokenizer"):
        load("text-to-image", folder)
    (folder / "kept").rename(folder / "tokenizer" / "tokenizer.json")
    shutil.rmtree(folder / "vae")
    with pytest.raises(ModelRefused, match=r"vae: the folder holds no config\.json"):
        load("text-to-image", folder)


def test_two_labels_have_the_same_names_on_both_backends(tmp_path: Path) -> None:
    """A config says nothing of two labels that have no names of their own."""
    torch.manual_seed(0)
    words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"])}
    tokenizer = hf.BertTokenizer(vocab=words)
    config = hf.BertConfig(**tiny.SMALL, vocab_size=len(tokenizer))
    for part in (hf.BertForSequenceClassification(config), tokenizer):
        part.save_pretrained(tmp_path / "model")
    assert "id2label" not in json.loads((tmp_path / "model" / "config.json").read_text())
    export(str(tmp_path / "model"), tmp_path / "onnx", "text-classification")
    for backend, folder in (("transformers", "model"), ("onnxruntime", "onnx")):
        task = create_task(backend, "text-classification", str(tmp_path / folder))
        output: Any = task.process(TextClassificationInput(texts=["a b"]))
        assert {found.label for found in output.results[0]} == {"LABEL_0", "LABEL_1"}


@pytest.mark.parametrize(
    "task", ["text-classification", "image-classification", "audio-classification"]
)
def test_a_graph_of_another_count_of_labels_is_refused(
    tiny_graph: Callable[[str, str], Path], tmp_path: Path, task: str
) -> None:
    folder = shutil.copytree(tiny_graph(task, task), tmp_path / "graph")
    tiny.edit_json(folder / "config.json", id2label={"0": "yes", "1": "no"})
    with pytest.raises(ModelRefused, match="names 2 classes, the graph has 3"):
        create_task("onnxruntime", task, str(folder))


def test_a_model_without_a_limit_says_minus_one(tmp_path: Path) -> None:
    """XLNet reads a text of any length."""
    torch.manual_seed(0)
    tokenizer: Any = hf.AutoTokenizer.from_pretrained(tiny.bert(tmp_path / "bert"))
    tokenizer.model_max_length = 10**30
    config = hf.XLNetConfig(vocab_size=len(tokenizer), d_model=32, n_layer=1, n_head=2, d_inner=37)
    assert config.max_position_embeddings == -1
    for kind, task in (
        (hf.XLNetForSequenceClassification, "text-classification"),
        (hf.XLNetLMHeadModel, "text-generation"),
    ):
        for part in (kind(config), tokenizer):
            part.save_pretrained(tmp_path / task)
        made = create_task("transformers", task, str(tmp_path / task))
        row = made.task.input.model_validate({"texts": ["lazy dog " * 400]})
        assert not isinstance(made.backend.run([row])[0], RowError)


def test_a_kind_that_fits_is_told_without_importing_all_others(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def importing(_: object) -> None:
        raise AssertionError("hundreds of modules would be imported")

    monkeypatch.setattr(type(hf.AutoModel._model_mapping), "keys", importing)
    load("embedding", tiny_model("embedding"))
