from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..base import ModelRefused
from ..device import Device
from .graph import Graph

#: The graph of a folder is the first of these that is there, else its first .onnx file.
_GRAPHS = ("model.onnx", "model_optimized.onnx", "encoder_model.onnx", "onnx/model.onnx")


#: Model types whose positions begin behind that of the padding token.
_COUNT_FROM_PADDING = ("roberta", "camembert", "longformer", "mpnet")

#: Enough for any text that a request holds.
_NO_LIMIT = 2**31 - 1


class OnnxModel:
    """A model's folder: its graph, and the files that tell how to feed it.

    Raises ValueError when there is no graph in it.
    """

    def __init__(
        self,
        folder: Path,
        device: Device,
        *,
        threads: int,
        max_pixels: int,
    ) -> None:
        self.folder = folder
        self.max_pixels = max_pixels
        self._device, self._threads = device, threads
        self.config = self.read_json("config.json")
        self.graph = self.open(self._main_graph())

    def _main_graph(self) -> str:
        for name in _GRAPHS:
            if (self.folder / name).exists():
                return name
        found = sorted(self.folder.glob("*.onnx"))
        if not found:
            raise ValueError(f"{self.folder} holds no .onnx file")
        return found[0].name

    def open(self, name: str) -> Graph:
        """A graph of the folder. Raises ValueError when it is not there."""
        path = self.folder / name
        if not path.exists():
            raise ValueError(f"{self.folder} holds no {name}")
        return Graph(path, self._device, threads=self._threads)

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

    def labels(self) -> dict[int, str]:
        """id2label of config.json."""
        named: dict[str, str] = self.config.get("id2label") or {}
        return {int(number): name for number, name in named.items()}

    def classes(self, output: str | None = None) -> dict[int, str]:
        """What the classes of a graph of transformers are called: the same as transformers says.

        It leaves id2label out where there are two, called LABEL_0 and LABEL_1. Raises ModelRefused
        where the graph says that `output`, (..., labels), has another count of them.
        """
        axes = self.graph.outputs[output][-1:] if output else ()
        for axis in axes:
            if isinstance(axis, int) and self.labels() and axis != len(self.labels()):
                raise ModelRefused(
                    f"{self.folder}: id2label names {len(self.labels())} labels, the graph gives "
                    f"{axis}: they are not of one model"
                )
        if "id2label" in self.config or "model_type" not in self.config:
            return self.labels()
        return {i: f"LABEL_{i}" for i in range(self.config.get("num_labels") or 2)}

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


def folder_of(source: str | None) -> Path:
    """The folder that `source` names. Raises ValueError when it is none."""
    if source is None or not Path(source).is_dir():
        raise ValueError(f"source {source!r}: expected a folder with model.onnx")
    return Path(source)
