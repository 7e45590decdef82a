from __future__ import annotations

import pytest

from wherry.tasks.tuning.candidates import Contender
from wherry.tasks.tuning.choice import choose
from wherry.tasks.tuning.verdict import Tried, Verdict


def tried(name: str, *rates: float, refused: str = "") -> Tried:
    sizes: list[int] = [1, 8, 32][: len(rates)]
    rows_per_s = dict(zip(sizes, rates, strict=True))
    return Tried(
        candidate=Contender(backend=name, source=None), rows_per_s=rows_per_s, refused=refused
    )


TORCH = tried("torch", 10, 20, 30)


@pytest.mark.parametrize(
    ("others", "chosen", "size", "said"),
    [
        ([tried("a", 11, 25, 60)], "a", 32, "2.00 times as fast"),
        ([tried("a", 11, 25, 60), tried("b", 20, 40, 59)], "a", 32, "2.00 times"),
        # A full batch counts, but nobody waits longer alone for it.
        ([tried("a", 8, 25, 60)], "torch", 32, "0.80 of it at 1"),
        ([tried("a", 8, 25, 60), tried("b", 10, 22, 40)], "b", 32, "1.33 times"),
        # Less than a twentieth is chance.
        ([tried("a", 10, 20, 31)], "torch", 32, "1.03 of its speed"),
        ([tried("a", 9.8, 20, 33)], "a", 32, "1.10 times"),
        ([tried("a", 100, 200, 300, refused="wrong")], "torch", 0, "a float32: wrong"),
        ([tried("a")], "torch", 0, "nothing was timed"),
        ([], "torch", 0, "nothing else"),
        # The time was over before the larger sizes.
        ([tried("a", 20, 50)], "a", 8, "2.50 times"),
    ],
)
def test_the_fastest_in_full_batches_that_is_nowhere_slower_is_chosen(
    others: list[Tried], chosen: str, size: int, said: str
) -> None:
    best, why, counted = choose([TORCH, *others])
    assert (best.candidate.backend, counted) == (chosen, size)
    assert said in why


def test_what_computes_in_fewer_bits_says_how_far_its_answers_moved() -> None:
    fast = Tried(
        candidate=Contender(backend="a", precision="bfloat16", source=None),
        difference=0.0123,
        rows=5,
        first_changed=1,
    )
    assert Verdict(chosen=fast.candidate, why="", tried=(TORCH, fast)).note == (
        "served by a bfloat16: its answers move by 0.012 at most, and the first label changed in"
        " 1 of 5 rows"
    )
    assert Verdict(chosen=TORCH.candidate, why="", tried=(TORCH, fast)).note == ""
