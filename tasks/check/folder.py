"""Whether a model's folder holds what its backend reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..backends.onnx.files import IN_TWO, TOGETHER, graphs_of, halves, main_graph
from ..catalog import OF_GRAPHS, ModelDeclaration
from ..export import exported_tasks
from .fault import Fault
from .safetensors import BrokenFileError, read_header

#: Weights that are pickles, or of another system.
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")

#: Any of these is a part of a tokenizer.
_TOKENIZERS = (
    *("tokenizer.json", "tokenizer_config.json", "vocab*", "merges.txt", "special_tokens_map.json"),
    *("*.model", "*.spm", "*.tiktoken", "*bpe.codes", "spiece*", "dict.txt", "entity_vocab.json"),
)

_COPY = "copy {} and what belongs to it from the model that it was made of"

#: Tasks of other families that read or write texts.
_WITH_TEXTS = frozenset(
    {
        *("audio-text-to-text", "automatic-speech-recognition", "document-question-answering"),
        *("image-text-to-text", "image-to-text", "multimodal-embedding", "multivector-embedding"),
        *("optical-character-recognition", "text-to-audio", "text-to-speech"),
        *("visual-document-retrieval", "visual-question-answering"),
        "zero-shot-audio-classification",
        *("zero-shot-image-classification", "zero-shot-object-detection"),
    }
)

#: Tasks outside the family `text` that need no processor of pictures or sounds.
_WITHOUT_PROCESSOR = frozenset(
    {
        *("custom", "document-question-answering", "text-to-audio", "text-to-image"),
        *("text-to-speech", "time-series-forecasting"),
    }
)


def read_config(folder: Path) -> dict[str, Any]:
    """A folder's config.json; {} when it has none that can be read."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def folder_faults(declared: ModelDeclaration, folder: Path) -> Iterator[Fault]:
    """What a folder lacks for the declared backend and task."""
    if declared.backend in OF_GRAPHS:
        yield from _onnx(declared, folder)
    else:
        yield from _weights(folder)
        yield from _beside(declared, folder)


def _onnx(declared: ModelDeclaration, folder: Path) -> Iterator[Fault]:
    file = declared.parameters.get("file", "")
    if not file and declared.task in TOGETHER and graphs_of(folder):
        return
    named = file if isinstance(file, str) else ""  # its type is a fault of its own
    try:
        if declared.task in IN_TWO:
            halves(folder, named)
        else:
            main_graph(folder, named, declared.task)
    except ValueError as error:
        made = f"`wherry export {folder} OUT --task {declared.task}` writes one"
        is_weights = any(folder.glob("*.safetensors")) and not graphs_of(folder)
        is_written = is_weights and declared.task in exported_tasks()
        yield Fault(str(error) + (f": {made}" if is_written else ""))
        return
    if declared.family == "text" and not (folder / "tokenizer.json").exists():
        yield Fault(f"{folder} holds no tokenizer.json", is_error=False)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, and of a pipeline's folders in it."""
    return sorted([*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")])


def _weights(folder: Path) -> Iterator[Fault]:
    files = weight_files(folder)
    if not files:
        pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
        if not pickles:
            yield Fault(f"{folder} holds no weights: expected model.safetensors")
            return
        yield Fault(
            f"{folder} holds {pickles[0]} and no safetensors: such a file can run code and is not"
            " loaded; where you trust it, from_pretrained(OLD).save_pretrained(NEW) of transformers"
            " writes model.safetensors"
        )
        return
    for file in files:
        try:
            read_header(file)
        except (BrokenFileError, OSError) as error:
            yield Fault(f"{folder}: {error}")
    for index in folder.glob("*.safetensors.index.json"):
        yield from _shards(folder, index)


def _shards(folder: Path, index: Path) -> Iterator[Fault]:
    try:
        named = set(json.loads(index.read_text())["weight_map"].values())
    except (ValueError, KeyError, AttributeError, TypeError):
        yield Fault(f"{folder}: {index.name} cannot be read")
        return
    missing = sorted(name for name in named if not (folder / name).exists())
    if missing:
        yield Fault(f"{folder} lacks {len(missing)} of {len(named)} weight files: {missing[0]}")


def _beside(declared: ModelDeclaration, folder: Path) -> Iterator[Fault]:
    """What stands beside the weights of a transformers model."""
    if (folder / "model_index.json").exists():
        return  # a pipeline of diffusers: each part has its own folder
    if not (folder / "config.json").exists():
        if not (folder / "modules.json").exists():
            yield Fault(f"{folder} holds no config.json, which says what its weights are")
        return
    if not read_config(folder):
        yield Fault(f"{folder}: config.json is no JSON object")
    if _reads_texts(declared) and not any(any(folder.glob(p)) for p in _TOKENIZERS):
        yield Fault(f"{folder} holds no tokenizer: {_COPY.format('tokenizer.json')}")
    if declared.family != "text" and declared.task not in _WITHOUT_PROCESSOR:
        config = read_config(folder)
        told = "image_processor_type" in config or "feature_extractor_type" in config
        if not told and not any(folder.glob("*processor_config.json")):
            yield Fault(f"{folder} holds no processor: {_COPY.format('preprocessor_config.json')}")


def _reads_texts(declared: ModelDeclaration) -> bool:
    return declared.family == "text" or declared.task in _WITH_TEXTS
