"""The report's page about a run's quality: along the source, look-alikes, another run, failures."""

from __future__ import annotations

from typing import Any

from wherry.client.annotate.report.page import page
from wherry.tasks.annotations.drift import drift_view, drifts
from wherry.tasks.annotations.near_duplicates import NearDuplicates, NearGroup, near_view
from wherry.tasks.annotations.stretches import Stretches, stretches_view

from .reported import HOSTILE, opened, png, read, summary


def along(rows: int, odd: range, label: str = "night") -> dict[str, Any]:
    stretches = Stretches()
    for place in range(rows):
        if place % 20 == 3:
            stretches.failed(place)
        else:
            stretches.answered(place, label if place in odd else f"day {place % 3}", 0.8)
    return {"stretches": stretches_view(stretches), "drift": drift_view(drifts(stretches))}


def test_columns_are_as_high_as_their_shares_and_what_differs_is_told() -> None:
    reader = read(page(summary(**along(1000, range(400, 500))), []))
    assert "Along the source" in reader.texts
    assert "rows 400-499: 'night' 100%, elsewhere 5%" in reader.texts
    columns: dict[str, float] = {}
    for rect in reader.all("rect"):
        if "fill:" in (rect.get("style") or ""):
            columns[rect["x"] or ""] = columns.get(rect["x"] or "", 0) + float(rect["height"] or 0)
    assert len(columns) == 20
    assert all(abs(height - 100) < 0.1 for height in columns.values())
    assert "rows 400 to 449: night 47" in reader.texts


def test_a_short_source_has_no_such_chart() -> None:
    texts = read(page(summary(**along(40, range(0))), [])).texts
    assert "Along the source" not in texts


def test_nothing_differs_and_that_is_told() -> None:
    texts = read(page(summary(**along(1000, range(0))), [])).texts
    assert "No stretch plainly differs from the rest." in texts


def test_groups_that_look_alike_have_their_pictures() -> None:
    found = NearDuplicates(500, 7, 2, 4, [NearGroup([3, 9], 5), NearGroup([4, 8], 2)])
    near = near_view(found, {3: "a.png", 9: HOSTILE, 4: "c.png", 8: "d.png"})
    html = page(summary(near_duplicates=near), [], {3: png(), 9: png(), 4: png()})
    reader = read(html)
    pictures = [image for image in reader.all("img") if image["alt"] == ""]
    assert [opened(image["src"]).size for image in pictures] == [(400, 200)] * 3
    told = " ".join(reader.texts)
    assert "7 of 500 pictures that were looked at look like one before them, in 4 groups" in told
    assert "and 3 more" in told
    assert "and 2 more groups" in told
    assert "<script>" not in html


def test_none_that_look_alike_is_told_too() -> None:
    near = near_view(NearDuplicates(12, 0, 0, 0, []), {})
    texts = read(page(summary(near_duplicates=near), [])).texts
    assert "None of 12 pictures that were looked at." in texts


def test_another_run_stands_beside() -> None:
    told = {
        "run": HOSTILE,
        "model": "other",
        "agreement": 0.75,
        "same_first_label": 0.8,
        "counted": 90,
        "of": 100,
        "confusion": {"labels": ["cat", "dog"], "counts": [[50, 10, 0], [0, 30, 0], [0, 0, 0]]},
        "least": [
            {"index": 2, "id": "c.png", "agreement": 0.0, "a": ["cat"], "b": ["dog"]},
            {"index": 5, "id": "f.png", "agreement": None, "a": None, "b": []},
        ],
    }
    html = page(summary(compared=told), [], {2: png()})
    reader = read(html)
    at = {text: place for place, text in enumerate(reader.texts)}
    assert reader.texts[at["agreement"] + 1] == "75.0%"
    assert reader.texts[at["rows compared"] + 1] == "90 of 100"
    assert [cell for cell in reader.texts if cell in ("50", "10", "30")] == ["50", "10", "30"]
    assert {"other: dog", "other: nothing with a label"} <= set(reader.texts)
    assert "failed" in reader.texts
    assert "<script>" not in html


def test_a_run_that_is_gone_is_told() -> None:
    told = {"run": "run_gone", "model": "", "agreement": None, "counted": 0, "of": 9}
    assert "run_gone: no row was answered by both." in read(page(summary(compared=told), [])).texts


def test_reasons_have_their_rows_and_examples() -> None:
    failures = [
        {"error_type": "invalid_row", "reason": "no image", "rows": 64, "examples": ["a", HOSTILE]}
    ]
    html = page(summary(failures=failures), [])
    texts = read(html).texts
    assert "no image" in texts
    assert any(text.startswith("invalid_row; a, ") for text in texts)
    assert "<script>" not in html


def test_counts_of_first_labels_say_so() -> None:
    assert "Labels: each row's first" in read(page(summary(first_labels=True), [])).texts
    assert "Labels" in read(page(summary(), [])).texts
