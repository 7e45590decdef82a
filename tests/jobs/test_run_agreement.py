"""How far two runs agree: over all rows, in whatever order each has them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from wherry.jobs import run_agreement
from wherry.jobs.run_agreement import FirstLabels, compare_whole

from .sheets import Row, failed, row, sheets


def test_every_row_counts_once(tmp_path: Path) -> None:
    mine = [row(n, ("a" if n % 4 else "b", 1.0)) for n in range(30)] + [failed(30), failed(31)]
    theirs = [row(n, ("a", 1.0)) for n in range(31)] + [failed(31)]
    one = sheets(tmp_path, "one", mine[:13], mine[13:])
    other = sheets(tmp_path, "other", theirs)
    told = compare_whole(one, other)
    assert (told["counted"], told["of"]) == (32, 32)
    assert told["agreement"] == pytest.approx(22 / 30, abs=1e-6)
    assert told["same_first_label"] == pytest.approx(22 / 30, abs=1e-6)
    assert told["confusion"] == {"labels": ["a", "b"], "counts": [[22, 0, 0], [8, 0, 0], [0, 0, 0]]}
    least = told["least"]
    # What one of them failed to answer differs most; what neither did is no difference.
    assert [each["index"] for each in least] == [30, *range(0, 30, 4)]
    assert (least[0]["a"], least[0]["b"], least[0]["agreement"]) == (None, ["a"], None)
    assert (least[1]["a"], least[1]["b"], least[1]["agreement"]) == (["b"], ["a"], 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_order_does_not_matter(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    mine = [row(n, (chance.choice("abc"), 0.5), row_id=f"x{n}") for n in range(90)]
    theirs = [row(n, (chance.choice("abc"), 0.5), row_id=f"x{n}") for n in range(20, 110)]
    one = sheets(tmp_path, "one", mine)
    straight = compare_whole(one, sheets(tmp_path, "straight", theirs))
    turned: list[Row] = [{**each, "index": at} for at, each in enumerate(reversed(theirs))]
    assert compare_whole(one, sheets(tmp_path, "turned", turned)) == straight
    assert straight["counted"] == 70


def test_rows_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_agreement, "_WAITING", 5)
    monkeypatch.setattr(run_agreement, "_TURN", 10)
    mine = [row(n, ("a", 1.0), row_id=f"x{n}") for n in range(40)]
    theirs = [row(n, ("a", 1.0), row_id=f"x{39 - n}") for n in range(40)]
    told = compare_whole(sheets(tmp_path, "one", mine), sheets(tmp_path, "other", theirs))
    assert 0 < told["counted"] < told["of"] == 40


def test_it_can_be_broken_off(tmp_path: Path) -> None:
    one = sheets(tmp_path, "one", [row(0, ("a", 1.0))])

    def check() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        compare_whole(one, one, check)


def test_rare_labels_are_put_together() -> None:
    labels = FirstLabels()
    for number in range(100):
        for _ in range(100 - number):
            labels.add(f"label {number:02}", f"label {number:02}")
    labels.add("label 00", "label 99")
    told = labels.as_json()
    assert told["labels"] == [f"label {number:02}" for number in range(20)]
    assert [row[20] for row in told["counts"]] == [1, *[0] * 19, sum(range(1, 81))]


def test_pairs_without_end_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_agreement, "_PAIRS", 10)
    labels = FirstLabels()
    for number in range(1000):
        labels.add("often", "often")
        labels.add(f"once {number}", f"never {number}")
    told = labels.as_json()
    assert told["labels"][0] == "often"
    assert told["counts"][0][0] == 1000
    assert sum(map(sum, told["counts"])) == 2000
