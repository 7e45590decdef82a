"""Words and their tags as the shared task of CoNLL-2003 has them (Tjong Kim Sang and De Meulder
2003), with the two columns that matter: one file.

    -DOCSTART- -X- O O      a row
    <word>TAB<tag>          B-X for the first word of an X, I-X for the others, O outside
                            a blank line where the text has a line break, and after a row

Words are letters, digits and marks that stand together; other characters stand alone; a word ends
where an entity begins or ends, so that none loses its bounds. Blanks in a tag become `_`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ..rows import Annotation, Origin
from .held_files import HeldFiles
from .spans import MarkedSpan, spans_of, tokens_of

_ROW = "-DOCSTART- -X- O O\n\n"


class Conll(HeldFiles):
    """How a text is spaced and how sure each entity is have no place here."""

    writes_text: ClassVar[bool] = True
    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._file = self._stream("rows", self._open(path))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        lines = list(_lines(annotation.text, spans_of(annotation)))
        self._file.write(_ROW)
        if lines:
            self._file.write("".join(lines) + "\n")

    def _finish(self) -> None:
        pass


def _lines(text: str, spans: list[MarkedSpan]) -> Iterator[str]:
    left = iter(spans)
    span = next(left, None)
    behind = 0
    for start, end in tokens_of(text, spans):
        while span and span.end <= start:
            span = next(left, None)
        is_in = span is not None and span.start < end
        goes_on = span is not None and span.start < start
        if behind and not goes_on and any(c in "\r\n" for c in text[behind:start]):
            yield "\n"
        tag = f"{'I' if goes_on else 'B'}-{_tag(span)}" if span and is_in else "O"
        yield f"{text[start:end]}\t{tag}\n"
        behind = end


def _tag(span: MarkedSpan) -> str:
    return "_".join(span.kind.split()) or "_"
