"""The page about a run: its numbers, its sample, and nothing that a label can break."""

from __future__ import annotations

import random
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.ledger import Ledger
from wherry.client.annotate.packing import Packer
from wherry.client.annotate.report import SAMPLED, Sample, Sampler, samples, write_report
from wherry.client.annotate.rows import Origin, SourceRow
from wherry.client.annotate.stored_answers import pack_answers
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

DETECT = get_task("object-detection")
HOSTILE = '<script>alert("x")</script>'

SUMMARY: dict[str, Any] = {
    "model": "boats",
    "source": HOSTILE,
    "task": "object-detection",
    "version": "1",
    "parameters": {"threshold": 0.5},
    "rows": 1234,
    "failed": 4,
    "reused": 30,
    "left_out": {},
    "rows_per_s": 56.78,
    "seconds": 90.0,
    "compute_seconds": 12.0,
    "labels": {HOSTILE: 7, "skiff": 3},
    "score_histogram": [0] * 19 + [10],
    "error_types": {"invalid_row": 4},
    "failures": [
        {"error_type": "invalid_row", "reason": HOSTILE, "rows": 4, "examples": [HOSTILE]}
    ],
    "stretches": {"width": 2000, "labels": [], "stretches": []},
    "drift": [],
    "stages_s": {"answering": 80.0, "writing": 10.0},
    "out": "out.json",
    "errors": None,
    "report": "out.json.report.html",
}


class Words(HTMLParser):
    """The page's text, and the names of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(path: Path) -> Words:
    page = Words()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.fixture
def page(tmp_path: Path) -> Words:
    [output] = DETECT.example.output.rows()
    sample = Sample(id=HOSTILE, picture=PNG, size=(8, 8), texts={}, output=output)
    failed = Sample(id="b", picture=b"", size=(0, 0), texts={}, output=None, error=HOSTILE)
    write_report(tmp_path / "report.html", SUMMARY, [sample, failed])
    return read(tmp_path / "report.html")


def test_it_has_the_runs_numbers(page: Words) -> None:
    text = " ".join(page.words)
    for number in ("1,234", "1,230", "4", "30", "56.8", "skiff", "invalid_row"):
        assert number in text, number


def test_no_label_id_or_error_is_markup(page: Words) -> None:
    assert "script" not in {tag for tag, _ in page.elements}
    assert sum(HOSTILE in word for word in page.words) >= 3


def test_everything_is_in_the_one_file(page: Words) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#")), (tag, attributes)
        if tag == "img":
            assert attributes.get("alt") is not None


def rows(count: int) -> Iterator[SourceRow]:
    for number in range(count):
        yield SourceRow(f"{number}", {"images": PNG + b"%d" % number})


def sampled(path: Path, source: list[SourceRow]) -> set[str]:
    origin = Origin(DETECT, "boats", "1", {}, "here")
    packer, [output] = Packer(origin), DETECT.example.output.rows()
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        sampler = Sampler(ledger, DETECT)
        for position, row in enumerate(source):
            key = packer.key(row.values)
            ledger.place(position, row.id, "", key, None)
            sampler.offer(position, row, key)
            ledger.keep(pack_answers(DETECT, output.response("boats"), 1), [key])
        found = samples(ledger, DETECT)
    assert all(sample.output == output and sample.picture for sample in found)
    return {sample.id for sample in found}


def test_the_sample_is_the_same_in_any_order(tmp_path: Path) -> None:
    source = list(rows(500))
    one = sampled(tmp_path / "one", source)
    random.Random(1).shuffle(source)
    assert sampled(tmp_path / "other", source) == one
    assert len(one) == SAMPLED
    assert {int(number) // 100 for number in one} == set(range(5)), "drawn from everywhere"
