"""The page about a run says what the summary says, in words that nothing can break."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wherry.client.annotate.report.page import page, write_report
from wherry.tasks.registry import get_task

from .reported import HOSTILE, answer, box, opened, png, read, sample, summary


def test_the_page_has_the_summarys_numbers() -> None:
    reader = read(page(summary(), []))
    at = {text: place for place, text in enumerate(reader.texts)}
    shown = {
        name: reader.texts[at[name] + 1]
        for name in ("rows", "answered", "failed", "reused", "rows a second", "cat", "dog")
    }
    assert shown == {
        "rows": "12,345",
        "answered": "12,278",
        "failed": "67",
        "reused": "890",
        "rows a second": "3.2",
        "cat": "4,321",
        "dog": "1,080",
    }
    assert reader.texts[at["run time"] + 1] == "1 h 2 min"
    assert reader.texts[at["compute time"] + 1] == "10 min 1 s"
    assert reader.texts[at["param threshold"] + 1] == "0.25"
    assert reader.texts[at["0.95 to 1.00"] + 1] == "5,000"


def test_it_says_what_was_left_out_and_that_no_parameter_was_given() -> None:
    texts = read(page(summary(left_out={".heic": 2, "": 1}, parameters={}), [])).texts
    at = {text: place for place, text in enumerate(texts)}
    assert texts[at["left out"] + 1] == "2 .heic, 1 without a suffix"
    assert texts[at["parameters"] + 1] == "none given: the task's own defaults"
    assert "left out" not in read(page(summary(), [])).texts


def test_bars_are_as_long_as_their_numbers_say() -> None:
    reader = read(page(summary(), []))
    widths = [float(a["width"] or 0) for a in reader.all("rect") if a["height"] == "1"]
    assert widths[:2] == pytest.approx([100, 100 * 1080 / 4321], abs=0.01)
    histogram = [float(a["height"] or 0) for a in reader.all("rect") if a["width"] == "18"]
    assert histogram == pytest.approx([0] * 18 + [100 * 401 / 5000, 100], abs=0.01)


def test_what_is_unknown_is_not_zero() -> None:
    reader = read(page(summary(compute_seconds=None), []))
    assert reader.texts[reader.texts.index("compute time") + 1] == "unknown"


def test_rare_labels_are_summed_up() -> None:
    labels = {f"label {n}": 100 - n for n in range(50)}
    reader = read(page(summary(labels=labels), []))
    assert "and 30 more: " + str(sum(100 - n for n in range(20, 50))) in "".join(
        text.replace(",", "") for text in reader.texts
    )


def test_spans_are_marked_in_their_text() -> None:
    text = "Ada <met> Charles"
    found = [
        {"entity": "PER", "score": 0.9, "word": "Ada", "start": 0, "end": 3},
        {"entity": "PER", "score": 0.9, "word": "Charles", "start": 10, "end": 17},
        {"entity": "LOC", "score": 0.9, "word": "?", "start": 15, "end": 900},
    ]
    output = answer("token-classification", "entities", found)
    html = page(summary(), [sample(output, texts={"texts": text})])
    assert re.findall(r"<mark[^>]*>([^<]*)<small>(\w+)</small></mark>", html) == [
        ("Ada", "PER"),
        ("Charles", "PER"),
    ]
    assert "&lt;met&gt;" in html


def test_words_are_shown_where_a_sound_was_given() -> None:
    task = get_task("automatic-speech-recognition")
    output = task.output.model_validate({"texts": ["hello there"], "chunks": [None]})
    reader = read(page(summary(), [sample(output, id="a.wav")]))
    assert {"a.wav", "hello there"} <= set(reader.texts)
    assert "Given" not in reader.texts, "a sound has no text"


def test_pictures_that_were_made_are_shown() -> None:
    task = get_task("image-to-image")
    output = task.output.model_validate({"images": [png(900, 300, "red")]})
    reader = read(page(summary(), [sample(output, png())]))
    made = opened(reader.all("img", "made")[0]["src"])
    assert made.size == (320, 107)
    assert made.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_a_failed_row_tells_why() -> None:
    reader = read(page(summary(), [sample(None, png(), error="the image is broken")]))
    assert "the image is broken" in reader.texts


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    output = answer("object-detection", "detections", [box(HOSTILE, 1, 2, 30, 40)])
    words = answer("text-classification", "results", [{"label": HOSTILE, "score": 0.5}])
    hostile = summary(
        source=HOSTILE,
        out=HOSTILE,
        model=HOSTILE,
        parameters={HOSTILE: HOSTILE},
        labels={HOSTILE: 3},
        error_types={HOSTILE: 1},
    )
    given = {"texts": HOSTILE}
    tame = answer("object-detection", "detections", [box("x", 1, 2, 30, 40)])
    plain = read(
        page(summary(labels={"x": 3}, parameters={"x": 1}), [sample(tame, png(), texts=given)])
    )
    rows = [sample(output, png(), id=HOSTILE, texts=given)]
    path = tmp_path / "page.html"
    write_report(path, hostile, rows)
    html = path.read_text(encoding="utf-8")
    reader = read(html)
    assert not reader.all("script")
    assert [tag for tag, _ in reader.elements] == [tag for tag, _ in plain.elements]
    assert not [name for _, attrs in reader.elements for name in attrs if name.startswith("on")]
    assert "\u202e" not in reader.texts[1], "a name cannot turn the text beside it"
    assert "\x00" not in html
    table = read(page(hostile, [sample(words, id=HOSTILE, texts=given, error=HOSTILE)]))
    assert not table.all("script")
    assert any("<script>alert(1)</script>" in text for text in reader.texts), "it is shown"


def test_the_page_needs_nothing_else() -> None:
    output = answer("object-detection", "detections", [box("cat", 1, 2, 3, 4)])
    html = page(summary(), [sample(output, png())])
    links = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert links
    assert all(link.startswith("data:image/") for link in links)
    assert "default-src 'none'" in html
    assert "url(" not in html
