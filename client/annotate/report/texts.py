"""Sampled texts and sounds: a table of what went in and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .answers import Item, answer_html, items_in, summed_up
from .colours import Colours
from .markup import data_uri, escaped, escaped_lines, score
from .sample import Sample
from .thumbnails import thumbnail

#: The field of an Input that answers with `start` and `end` point into, the first that is there.
_POINTED_AT = ("contexts", "texts")


def table(samples: Sequence[Sample], colours: Colours) -> str:
    """A row of the table for each sample. Without texts, as for sounds, the column is left out."""
    texts = any(sample.texts for sample in samples)
    heads = ["Row", *(["Given"] if texts else []), "Answer"]
    head = "".join(f"<th scope=col>{name}</th>" for name in heads)
    body = "".join(_row(sample, colours, texts=texts) for sample in samples)
    return f"<table class=samples><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(sample: Sample, colours: Colours, *, texts: bool) -> str:
    items = items_in(sample.output, colours) if sample.output else []
    given = f"<td>{texts_html(sample.texts, items)}</td>" if texts else ""
    return (
        f"<tr><th scope=row>{escaped(sample.id)}</th>{given}<td>{answer(sample, items)}</td></tr>"
    )


def answer(sample: Sample, items: Sequence[Item]) -> str:
    """What came of a row: pictures that were made, the answer in words, or why there is none."""
    if sample.output is None:
        return f"<p class=failed>{escaped(sample.error or 'no answer')}</p>"
    pictures = "".join(
        f'<img class=made src="{data_uri(small.file)}" alt="the answer for {escaped(sample.id)}">'
        for file in _made(sample)
        if (small := thumbnail(file))
    )
    return pictures or answer_html(sample.output, items)


def alternative(sample: Sample, items: Sequence[Item]) -> str:
    """What a picture shows, for those who cannot see it."""
    return f"{sample.id}: {summed_up(items) or 'nothing found'}"


def texts_html(texts: Mapping[str, str], items: Sequence[Item]) -> str:
    """The row's texts, with what was found in them marked."""
    pointed_at = next((field for field in _POINTED_AT if field in texts), "")
    return "".join(
        f"<p dir=auto>{_marked(text, items) if field == pointed_at else escaped_lines(text)}</p>"
        for field, text in texts.items()
    )


def _marked(text: str, items: Sequence[Item]) -> str:
    parts, at = [], 0
    spans = [item for item in items if hasattr(item.value, "start") and hasattr(item.value, "end")]
    for item in sorted(spans, key=lambda item: (item.value.start, -item.value.end)):
        start, end = int(item.value.start), int(item.value.end)
        if not at <= start < end <= len(text):
            continue  # it lies in another that is marked, or beyond the excerpt
        label = getattr(item.value, "entity", "")
        named = f"<small>{escaped(label)}</small>" if label else ""
        parts += [
            escaped_lines(text[at:start]),
            f'<mark style="--c:{item.colour.css}" title="{escaped(score(item.score))}">'
            f"{escaped_lines(text[start:end])}{named}</mark>",
        ]
        at = end
    return "".join(parts) + escaped_lines(text[at:])


def _made(sample: Sample) -> list[bytes]:
    """Image files that a row's answer is, one a field."""
    rows = (
        [getattr(sample.output, field)[0] for field in sample.output.contents()]
        if sample.output
        else []
    )
    return [row for row in rows if isinstance(row, bytes) and row]
