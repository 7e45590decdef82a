"""The page of a run: one HTML file that needs nothing else, for screens and for paper."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from ..sources.kinds import counted
from . import charts, texts
from .along import along
from .answers import items_in
from .beside import compared, failures, near_duplicates
from .colours import PALETTE, Colours
from .drawing import drawn
from .markup import count, escaped, seconds
from .sample import Sample

#: What stages are, by their names in the summary.
_STAGES = {
    "answering": "reading rows and waiting for answers",
    "writing": "writing the output",
}

_NO_PICTURES: Mapping[int, bytes] = {}


def write_report(
    path: Path,
    summary: Mapping[str, Any],
    samples: Sequence[Sample],
    pictures: Mapping[int, bytes] = _NO_PICTURES,
) -> None:
    """Write the page of a summary, as `wherry annotate --json` prints it."""
    path.write_text(page(summary, samples, pictures), encoding="utf-8")


def page(
    summary: Mapping[str, Any],
    samples: Sequence[Sample],
    pictures: Mapping[int, bytes] = _NO_PICTURES,
) -> str:
    """The page as text. `pictures` are small ones of rows, by their places in the source."""
    template = (
        resources.files(__name__.rpartition(".")[0])
        .joinpath("page.html.tmpl")
        .read_text(encoding="utf-8")
    )
    return Template(template).substitute(
        title=escaped(f"{summary['model']}: {summary['source']}"),
        task=escaped(summary["task"]),
        model=escaped(summary["model"]),
        source=escaped(summary["source"]),
        figures=_figures(summary),
        sections="".join(_sections(summary, samples, pictures)),
    )


def _figures(summary: Mapping[str, Any]) -> str:
    """The numbers that come first."""
    compute = summary["compute_seconds"]
    figures = {
        "rows": count(summary["rows"]),
        "answered": count(summary["rows"] - summary["failed"]),
        "failed": count(summary["failed"]),
        "reused": count(summary["reused"]),
        "rows a second": f"{summary['rows_per_s']:,.1f}",
        "run time": seconds(summary["seconds"]),
        "compute time": "unknown" if compute is None else seconds(compute),
    }
    return "".join(
        f"<div{' class=bad' if name == 'failed' and summary['failed'] else ''}>"
        f"<dt>{name}</dt><dd>{value}</dd></div>"
        for name, value in figures.items()
    )


def _sections(
    summary: Mapping[str, Any], samples: Sequence[Sample], pictures: Mapping[int, bytes]
) -> Iterator[str]:
    colours = Colours.of(summary["labels"])
    plain = PALETTE[0].css
    if samples:
        yield _section("Sample", _sheet(samples, colours), wide=True)
    if summary["labels"]:
        # Others are what rows are not: their counts would say nothing.
        title = "Labels: each row's first" if summary.get("first_labels") else "Labels"
        yield _section(title, charts.bars(summary["labels"], lambda name: colours[name].css))
    scored = sum(summary["score_histogram"])
    if scored:
        chart = charts.histogram(summary["score_histogram"], f"Histogram of {scored:,} scores")
        yield _section("Scores", chart)
    if chart := along(summary["stretches"], summary["drift"], colours):
        yield _section("Along the source", chart, wide=True)
    if summary.get("compared"):
        yield _section("Beside another run", compared(summary["compared"], pictures), wide=True)
    if summary.get("near_duplicates"):
        found = near_duplicates(summary["near_duplicates"], pictures)
        yield _section("Pictures that look alike", found, wide=True)
    if summary.get("warned"):
        told = [
            f"<li>{escaped(row)}: {escaped(text)}</li>" for row, text in summary["warnings"].items()
        ]
        note = f"<p class=note>Rows answered with a warning: {count(summary['warned'])}.</p>"
        yield _section("Warnings", f"{note}<ul>{''.join(told)}</ul>")
    if summary["error_types"]:
        bad = PALETTE[3].css
        types = charts.bars(summary["error_types"], lambda _: bad)
        yield _section("Errors", types + failures(summary["failures"]))
    stages: dict[str, float] = {
        _STAGES.get(name) or name: taken for name, taken in summary["stages_s"].items()
    }
    note = ""
    if summary["compute_seconds"] is not None:
        stages["computing, all devices together"] = summary["compute_seconds"]
        note = "<p class=note>Computing counts all jobs of this model while the run lasted.</p>"
    yield _section("Time", charts.bars(stages, lambda _: plain, seconds) + note)
    yield _section("How it was made", _made(summary))


def _section(title: str, content: str, *, wide: bool = False) -> str:
    return f"<section{' class=wide' if wide else ''}><h2>{title}</h2>{content}</section>"


def _made(summary: Mapping[str, Any]) -> str:
    facts = {
        "source": summary["source"],
        "output": summary["out"],
        "errors": summary["errors"],
        "task": summary["task"],
        "model": summary["model"],
        "version": summary["version"],
    }
    facts |= {f"param {name}": _value(value) for name, value in summary["parameters"].items()} or {
        "parameters": "none given: the task's own defaults"
    }
    if summary["left_out"]:
        facts["left out"] = counted(summary["left_out"])
    rows = (
        f"<tr><th scope=row>{escaped(name)}</th><td>{escaped(value)}</td></tr>"
        for name, value in facts.items()
        if value is not None
    )
    return f"<table class=facts><tbody>{''.join(rows)}</tbody></table>"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _sheet(samples: Sequence[Sample], colours: Colours) -> str:
    drawn_from = f"{len(samples)} rows, drawn evenly; " if len(samples) > 1 else ""
    note = f"<p class=note>{drawn_from}the same rows are drawn in every run.</p>"
    if not any(sample.picture for sample in samples):
        return note + texts.table(samples, colours)
    return f"{note}<div class=sheet>{''.join(_tile(sample, colours) for sample in samples)}</div>"


def _tile(sample: Sample, colours: Colours) -> str:
    items = items_in(sample.output, colours) if sample.output else []
    if sample.picture:
        alt = texts.alternative(sample, items) if sample.output else sample.id
        picture = drawn(sample.picture, sample.size, items, alt)
    else:
        picture = "<div class=picture>no picture</div>"
    return (
        f"<figure>{picture}<figcaption><h3>{escaped(sample.id)}</h3>"
        f"{texts.texts_html(sample.texts, [])}{texts.answer(sample, items)}</figcaption></figure>"
    )
