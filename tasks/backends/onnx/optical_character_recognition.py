from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import rapidocr

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...vision.images import MAX_PIXELS
from ..base import ModelRefused
from ..company import Probe
from ..device import Device
from ..facts import ModelFacts
from ..image.page_reader import Graphs, PageReader
from ..image.picture import picture
from ..sources import opened_folder
from .backend import DialectBackend
from .graph import Graph
from .session import OnnxRuntime, check_place, runtime_place

#: Where the package has its graphs.
_PACKAGED = str(Path(rapidocr.__file__).parent / "models")

#: Height of a line, where the graph that reads takes any.
_HEIGHT = 48


class TextReading(DialectBackend):
    """Pages, read by PP-OCR: one graph finds the lines, one reads them; or graphs that read a line.

    Without a source the package rapidocr brings both of PP-OCR. A folder that holds one graph whose
    name tells of `det`, and one of `rec`, reads pages as well; `characters` is a file of the
    folder with what the latter reads, where it does not say so itself. Any other folder holds a
    graph of a dialect that reads lines.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        threads: int = 0,
        max_pixels: int = MAX_PIXELS,
        **parameters: Any,  # of dialects
    ) -> None:
        super().__init__(
            task,
            source or _PACKAGED,
            device=device,
            threads=threads,
            max_pixels=max_pixels,
            **parameters,
        )
        self.source = source
        self._threads, self._max_pixels, self._given = threads, max_pixels, parameters
        folder = opened_folder(source, "model.onnx") if source else None
        self._pair = _pair(folder) if folder else None
        self._pages = folder is None or self._pair is not None
        self._reader: PageReader | None = None

    def load(self) -> None:
        """Open the graphs."""
        if not self._pages:
            super().load()
            return
        kind, _, number = runtime_place(self.device).partition(":")
        self._reader = PageReader(
            threads=self._threads,
            cuda=int(number or 0) if kind == "cuda" else None,
            graphs=self._graphs(),
        )
        for session in self._reader.sessions():
            check_place(session, self.device)

    def _graphs(self) -> Graphs | None:
        other = [name for name in self._given if name != "characters" or self._pair is None]
        if other:
            raise ModelRefused(f"{', '.join(other)}: of no use where pages are read")
        if self._pair is None:
            return None
        det, rec = self._pair
        found, read = (
            Graph(path, self.device, runtime=OnnxRuntime(), threads=self._threads)
            for path in self._pair
        )
        _check(det, found, 4)
        _check(rec, read, 3)
        named = self._given.get("characters")
        file = det.parent / str(named) if named else None
        if file is None and "character" not in read.metadata:
            raise ModelRefused(
                f"{rec} does not say which characters it reads: give the model parameter "
                "`characters`, a file of the folder with one a line"
            )
        if file is not None and not file.is_file():
            raise ModelRefused(f"characters {named!r}: there is no file {file}")
        height = next(iter(read.inputs.values()))[2]
        return Graphs(det, rec, height if isinstance(height, int) else _HEIGHT, file)

    def probe(self) -> Probe[Any] | None:
        """Pages are never padded."""
        return None if self._pages else super().probe()

    def find_company(self) -> None:
        """Pages are read one by one."""
        if not self._pages:
            super().find_company()

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Page by page: pages differ in size and in how many lines they hold. The lines of a page
        go through the reading graph together.
        """
        return [self._answer(row) for row in batch] if self._pages else super().run(batch)

    def _answer(self, row: TaskInput) -> TaskOutput | RowError:
        inputs: Any = row
        if self._reader is None:
            raise RuntimeError("the backend is not loaded")
        try:
            image = picture(row, self._max_pixels)
        except RowError as error:
            return error
        with self.device.compute():
            lines = self._reader.read(image)
        kept = [line for line in lines if line.score >= inputs.threshold]
        return self.task.output.model_validate({"lines": [kept]})

    def facts(self) -> ModelFacts:
        """The package that it is of, or what a folder of one graph says."""
        if self._reader is None:
            return super().facts()
        return ModelFacts(runtime=f"rapidocr {version('rapidocr')}")

    def close(self) -> None:
        """Drop the graphs."""
        self._reader = None
        super().close()


def _pair(folder: Path) -> tuple[Path, Path] | None:
    """The graph that finds lines, and the one that reads them; None where there are not both."""
    found, read = (
        [path for path in sorted(folder.glob("*.onnx")) if word in path.stem.lower().split("_")]
        for word in ("det", "rec")
    )
    return (found[0], read[0]) if len(found) == len(read) == 1 else None


def _check(path: Path, graph: Graph, rank: int) -> None:
    axes = [*graph.outputs.values()]
    if len(graph.inputs) != 1 or len(axes) != 1 or len(axes[0]) != rank:
        raise ModelRefused(f"{path} is no graph of PP-OCR: expected one output of {rank} axes")
