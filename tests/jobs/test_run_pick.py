"""Picks: the least sure rows of a whole run, found in the blocks that may have them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from wherry.jobs import run_blobs, run_rows
from wherry.jobs.run_pick import least_sure, picked_rows
from wherry.jobs.run_rows import Sheets

from .sheets import failed, row, sheets


def picked(found: Sheets, count: int, **how: Any) -> list[dict[str, Any]]:
    return [placed.row for placed in picked_rows(found, least_sure(found, count, **how))]


@pytest.mark.parametrize("count", [1, 7, 60, 500])
def test_they_are_the_lowest_of_all(tmp_path: Path, count: int) -> None:
    chance = random.Random(count)
    rows = [row(n, ("a", round(chance.random(), 2)), ("b", 0.0)) for n in range(200)]
    rows[17], rows[18] = failed(17), row(18)  # neither has a score
    found = sheets(tmp_path, "run", rows[:90], rows[90:])
    scored = [each for each in rows if each["score"] is not None]
    lowest = sorted(scored, key=lambda each: (each["score"], each["index"]))[:count]
    assert [each["id"] for each in picked(found, count)] == [each["id"] for each in lowest]


def test_blocks_of_sure_rows_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(n, ("a", 0.1 if 40 <= n < 44 else 0.9)) for n in range(400)]
    found, read = sheets(tmp_path, "run", rows), list[int]()
    before = run_blobs.read_block

    def noted(*args: Any) -> list[bytes]:
        read.append(args[-1].first)
        return before(*args)

    monkeypatch.setattr(run_rows, "read_block", noted)
    assert len(least_sure(found, 4)) == 4
    assert read == [40]


def test_in_turns_each_label_has_its_least_sure(tmp_path: Path) -> None:
    rows = [row(n, ("hard", 0.1 + n / 1000)) for n in range(30)]
    rows += [row(30 + n, ("easy", 0.5 + n / 1000)) for n in range(10)]
    rows += [row(40, ("rare", 0.9))]
    found = sheets(tmp_path, "run", rows)
    assert {each["labels"][0]["label"] for each in picked(found, 5)} == {"hard"}
    turns = picked(found, 5, by_label=True)
    assert [each["index"] for each in turns] == [0, 30, 40, 1, 31]


def test_a_run_without_scores_has_none(tmp_path: Path) -> None:
    found = sheets(tmp_path, "run", [row(0), failed(1)])
    assert least_sure(found, 5) == []
