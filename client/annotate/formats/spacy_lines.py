"""Texts with their entities, as spaCy's Doc.to_json has them (https://spacy.io/api/doc#to_json).

    {"id": ..., "text": ..., "ents": [{"start": 0, "end": 5, "label": "PER", "score": 0.9}]}

A line a row; `start` and `end` count characters. displaCy draws a line as it is
(`manual=True`); `Doc.char_span` makes training data of them, with the tokens of any pipeline.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ....tasks.values.rounding import number
from ..rows import Annotation, Origin
from .held_files import HeldFiles
from .spans import spans_of
from .text import json_text


class SpacyLines(HeldFiles):
    """Entities in the order of the text, none of them over another, as `Doc.ents` wants them."""

    writes_text: ClassVar[bool] = True
    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._file = self._stream("rows", self._open(path))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        ents = [
            {"start": s.start, "end": s.end, "label": s.kind, "score": number(s.score)}
            for s in spans_of(annotation)
        ]
        line = {"id": annotation.id, "text": annotation.text, "ents": ents}
        self._file.write(json_text(line) + "\n")

    def _finish(self) -> None:
        pass
