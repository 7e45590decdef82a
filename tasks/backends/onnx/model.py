from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tokenizers import Tokenizer

from ..base import ModelRefused
from ..device import Device
from .files import beside, main_graph
from .graph import Graph
from .runtime import Runtime
from .wiring import Wiring

#: Model types whose positions begin behind that of the padding token.
_COUNT_FROM_PADDING = ("roberta", "camembert", "longformer", "mpnet")

#: Enough for any text that a request holds.
_NO_LIMIT = 2**31 - 1


class OnnxModel:
    """A model's folder: its graph, and the files that tell how to feed it.

    Graphs lie in it or in its folder `onnx`; `file` names the one to open, where there are several;
    `task` is what it is for.
    Raises ModelRefused when there is none, or no telling which.
    """

    def __init__(
        self,
        folder: Path,
        device: Device,
        *,
        runtime: Runtime,
        threads: int,
        max_pixels: int,
        file: str = "",
        task: str = "",
    ) -> None:
        self.folder = folder
        self.max_pixels = max_pixels
        self._device, self._threads, self._runtime = device, threads, runtime
        self.config = self.read_json("config.json")
        #: Whether large JPEGs are decoded to less than their size.
        self.scaled_decoding = False
        #: How the graph differs from its dialect.
        self.wiring = Wiring()
        try:
            self._main = main_graph(folder, file, task)
        except ValueError as error:
            raise ModelRefused(str(error)) from None
        self.graph = self._opened(self._main)

    def has(self, name: str) -> bool:
        """Whether a graph lies beside the model's own."""
        return beside(self._main, name) is not None

    def open(self, name: str) -> Graph:
        """A graph beside the model's own: of the same form, such as quantised, where there is one.

        Raises ModelRefused when it is not there, or broken.
        """
        path = beside(self._main, name)
        if path is None:
            raise ModelRefused(f"{self._main.parent} holds no {name}")
        return self._opened(path)

    def _opened(self, path: Path) -> Graph:
        return Graph(path, self._device, threads=self._threads, runtime=self._runtime)

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder; empty when it is not there."""
        path = self.folder / name
        if not path.exists():
            return {}
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    def find(self, name: str) -> str | None:
        """The path of a file of the folder; None when it is not there."""
        path = self.folder / name
        return str(path) if path.is_file() else None

    def labels(
        self, count: int | None = None, named: Mapping[int, str] = MappingProxyType({})
    ) -> dict[int, str]:
        """What classes are called: id2label of config.json, else `named`.

        Given how many the graph has, those without a name are LABEL_n, as transformers calls them.
        Raises ModelRefused where the names are of more, or of fewer.
        """
        told: Mapping[Any, str] = self.config.get("id2label") or named
        labels = {int(number): str(name) for number, name in told.items()}
        if count is None:
            return labels
        if labels and max(labels) + 1 != count:
            whose = "id2label of config.json" if self.config.get("id2label") else "the file"
            raise ModelRefused(f"{whose} names {max(labels) + 1} classes, the graph has {count}")
        return {number: labels.get(number, f"LABEL_{number}") for number in range(count)}

    def tokenizer(self) -> Tokenizer:
        """tokenizer.json, neither padding nor cutting yet. Raises ValueError without it."""
        path = self.folder / "tokenizer.json"
        if not path.exists():
            raise ValueError(f"{self.folder} holds no tokenizer.json")
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    def max_tokens(self, default: int = 512, *, told: int | None = None) -> int:
        """How many tokens a text may have: `told`, or what the tokenizer says, within the
        positions.
        """
        text = self.config.get("text_config") or self.config
        positions = int(text.get("max_position_embeddings") or default)
        if positions < 0:  # XLNet has no limit, and says -1
            positions = _NO_LIMIT
        if str(text.get("model_type")).removeprefix("xlm-") in _COUNT_FROM_PADDING:
            positions -= int(text.get("pad_token_id", 1)) + 1
        told = told or self.read_json("tokenizer_config.json").get("model_max_length")
        # A tokenizer that knows no limit says 1e30.
        return min(positions, int(told)) if told else positions
