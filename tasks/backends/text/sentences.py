"""Folders of sentence-transformers: modules.json says what becomes of a text's token vectors."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tokenizers import Tokenizer
from tokenizers.normalizers import Lowercase
from tokenizers.normalizers import Sequence as InOrder

from ....protocol.errors import RowError
from ..base import ModelRefused
from ..text_encoders.reader import Tokens
from .pool import pooling
from .sentence_modules import AFTER, MODULES_FILE, listed_modules, served_modules
from .sentence_steps import (
    WEIGHTS_FILE,
    Find,
    Step,
    Vectors,
    dense,
    layer_norm,
    layer_weights,
    normalize,
)

log = logging.getLogger(__name__)

#: What sentence-transformers writes into a model's folder, too.
SENTENCES_FILE = "config_sentence_transformers.json"
TRANSFORMER_FILES = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
_POOLING_FOLDER = "1_Pooling"

#: Where arguments for transformers may be told, in newer and older words, and those that matter
#: not here or are seen to.
_ARGUMENTS = (
    *("model_kwargs", "processor_kwargs", "config_kwargs"),
    *("model_args", "tokenizer_args", "config_args"),
)
_APPLIED = {
    *("attn_implementation", "dtype", "output_hidden_states", "padding_side", "torch_dtype"),
    *("trust_remote_code", "use_fast"),
}

_OWN = "sentence_embedding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """How a model makes a vector of a text."""

    #: Where the transformer's files are within the folder; "" in it itself.
    path: str = ""
    pooling: str = "mean"
    #: How much each layer of the model counts, the first of them, or None for the last alone.
    layers: Vectors | None = None
    first_layer: int = 0
    steps: tuple[Step, ...] = ()
    prompt: str = ""
    #: Others that the folder has, by their names.
    prompts: Mapping[str, str] = field(default_factory=dict)
    #: Whether tokens of the prompt are pooled, too.
    include_prompt: bool = True
    max_tokens: int | None = None
    lowercase: bool = False

    @classmethod
    def read(
        cls,
        find: Find,
        source: str,
        *,
        pooling_name: str = "",
        prompt_name: str = "",
        prompt: str | None = None,
    ) -> Self:
        """Read a folder's files; without any, the mean of the tokens.

        `pooling_name`, `prompt_name` and `prompt` override the folder's own; a prompt of "" is
        none. Raises ModelRefused for a module that is not served, or for a pooling or a
        prompt's name that is not there.
        """
        own = read_json(find, SENTENCES_FILE)
        kind = own.get("model_type", "SentenceTransformer")
        if kind != "SentenceTransformer":
            raise ModelRefused(f"{source}: a {kind} of sentence-transformers, which is not served")
        modules = _modules(find, source)
        folders = dict(modules)
        path = folders["Transformer"]
        reads = _reading(find, source, path)
        file = _in(folders["Pooling"], "config.json")
        if find(MODULES_FILE) and not find(file):
            raise ModelRefused(f"{source}: {MODULES_FILE} names a Pooling, and there is no {file}")
        pools = read_json(find, file)
        layers, first_layer = _layers(find, path, reads, folders.get("WeightedLayerPooling"))
        return cls(
            path=path,
            pooling=pooling(pools, pooling_name),
            layers=layers,
            first_layer=first_layer,
            steps=tuple(step for name, at in modules if (step := _step(name, at, find))),
            prompt=_prompt(source, own, prompt_name, prompt),
            prompts=own.get("prompts") or {},
            include_prompt=bool(pools.get("include_prompt", True)),
            max_tokens=reads.get("max_seq_length"),
            lowercase=bool(reads.get("do_lower_case")),
        )

    def texts(self, texts: Sequence[str], prompt_name: str | None = None) -> list[str]:
        """Texts as the model reads them: behind its prompt, or the one of that name.

        Raises RowError for a name that the folder has not, or that would be pooled wrongly.
        """
        prompt = self.prompt if prompt_name is None else self._named(prompt_name)
        return [prompt + text for text in texts]

    def _named(self, name: str) -> str:
        if name not in self.prompts:
            raise RowError(
                f"prompt_name: no prompt is called {name[:80]!r}; this model has "
                + (", ".join(self.prompts) or "none")
            )
        prompt = self.prompts[name]
        if not self.include_prompt and prompt != self.prompt:
            raise RowError(
                "prompt_name: this model pools no tokens of its prompt, which is one for all "
                "texts; declare another model of the same folder with this one"
            )
        return prompt

    def skipped(self, tokens: Callable[[Sequence[str]], Sequence[Tokens]]) -> int:
        """How many tokens at the start of a text are not pooled: the prompt's, if they are not."""
        if self.include_prompt or not self.prompt:
            return 0
        prompt, nothing = (list(own["input_ids"]) for own in tokens([self.prompt, ""]))
        ends = bool(nothing) and prompt[-1] == nothing[-1]  # a token that ends every text
        return len(prompt) - ends

    def finished(self, vectors: Vectors) -> Vectors:
        """Pooled vectors (B, D) as the modules behind the pooling leave them, (B, D')."""
        for step in self.steps:
            vectors = step(vectors)
        return vectors


def sentence_files(find: Find, source: str) -> list[str]:
    """The files of a folder, by their paths within it, that `Sentences.read` reads.

    Raises ModelRefused for a list that names none, or a path that leads out of it.
    """
    folders = [path for _, path in named_modules(find, source) if path] or [_POOLING_FOLDER]
    names = [f"{folder}/{name}" for folder in folders for name in ("config.json", WEIGHTS_FILE)]
    wanted = (MODULES_FILE, SENTENCES_FILE, *TRANSFORMER_FILES, *names)
    return [name for name in wanted if find(name)]


def small_letters(tokenizer: Tokenizer) -> None:
    """Have a tokenizer read small letters only."""
    own = tokenizer.normalizer
    tokenizer.normalizer = InOrder([Lowercase(), own]) if own is not None else Lowercase()


def named_modules(find: Find, source: str) -> list[tuple[str, str]]:
    """The modules that the folder names, each with its own folder; none without the file.

    Raises ModelRefused for a list that is none.
    """
    if not find(MODULES_FILE):
        return []
    try:
        return listed_modules(read_json(find, MODULES_FILE))
    except ValueError as error:
        raise ModelRefused(f"{source}: {MODULES_FILE} {error}") from None


def _modules(find: Find, source: str) -> list[tuple[str, str]]:
    """The modules' classes and folders. Raises ModelRefused for what is not served."""
    modules = named_modules(find, source)
    if not modules:  # an older folder, or none of sentence-transformers
        return [("Transformer", ""), ("Pooling", _POOLING_FOLDER)]
    try:
        return served_modules(modules)
    except ValueError as error:
        raise ModelRefused(f"{source}: {MODULES_FILE} {error}") from None


def _reading(find: Find, source: str, path: str) -> Mapping[str, Any]:
    """What is said of the transformer. Raises ModelRefused unless token vectors are its last
    hidden state.
    """
    named = ((name, read_json(find, _in(path, name))) for name in TRANSFORMER_FILES)
    nothing: tuple[str, dict[str, Any]] = ("", {})
    file, reads = next((both for both in named if both[1]), nothing)
    how = (reads.get("modality_config") or {"text": {}}).get("text")
    if how is None:
        raise ModelRefused(f"{source}: {file} says that the model reads no text")
    asked = (
        ("transformer_task", reads.get("transformer_task"), "feature-extraction"),
        ("method", how.get("method"), "forward"),
        ("method_output_name", how.get("method_output_name"), "last_hidden_state"),
        ("module_output_name", reads.get("module_output_name"), "token_embeddings"),
        ("processing_kwargs", reads.get("processing_kwargs") or None, None),
    )
    for name, told, served in asked:
        if told not in (None, served):
            raise ModelRefused(f"{source}: {file} says {name} = {told}; {served} is served")
    given = {key for name in _ARGUMENTS for key in reads.get(name) or ()} - _APPLIED
    if given:
        log.warning("%s: not applied of %s: %s", source, file, ", ".join(sorted(given)))
    return reads


def _layers(
    find: Find, path: str, reads: Mapping[str, Any], folder: str | None
) -> tuple[Vectors | None, int]:
    """How much each layer counts, and which is the first; None for the last alone."""
    given = reads.get("config_kwargs") or reads.get("config_args") or {}
    all_layers = {**read_json(find, _in(path, "config.json")), **given}.get("output_hidden_states")
    if folder is None or not all_layers:  # without, sentence-transformers passes over the module
        return None, 0
    first: int = read_json(find, _in(folder, "config.json")).get("layer_start", 4)
    return layer_weights(folder, find), first


def _step(name: str, path: str, find: Find) -> Step | None:
    if name not in AFTER or name == "Dropout":  # dropout is for training
        return None
    config = read_json(find, _in(path, "config.json"))
    for key in ("module_input_name", "module_output_name"):
        if config.get(key) not in (None, _OWN):
            raise ModelRefused(f"{path}: {key} = {config[key]} is not served, only {_OWN}")
    match name:
        case "Dense":
            return dense(path, config, find)
        case "LayerNorm":
            return layer_norm(path, config, find)
    return normalize


def _prompt(source: str, own: Mapping[str, Any], name: str, prompt: str | None) -> str:
    """What stands before every text: as given, as named, else as the folder's default names it."""
    if prompt is not None:
        return prompt
    prompts: Mapping[str, str] = own.get("prompts") or {}
    if name and name not in prompts:
        raise ModelRefused(f"{source}: no prompt is called {name!r}; there are {[*prompts]}")
    return prompts.get(name or own.get("default_prompt_name") or "") or ""


def _in(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def read_json(find: Find, name: str) -> Any:
    """A JSON file of the folder; an empty object where there is none. Raises ModelRefused."""
    file = find(name)
    try:
        return json.loads(Path(file).read_text(encoding="utf-8")) if file else {}
    except ValueError as error:
        raise ModelRefused(f"{file} is not JSON: {error}") from None
