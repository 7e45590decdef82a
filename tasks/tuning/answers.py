"""How far answers are from those they are held against, as a task's own outputs say them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...protocol.errors import WherryError
from ..base import TaskInput, TaskOutput

#: Share of a mask's pixels that may fall to either side of its edge.
_PIXELS = 0.002

#: Grey levels that rounding moves a picture by.
_LEVELS = 2

_PNG = b"\x89PNG"

#: What says how sure a model is of an entry, and the field of an output that lists nothing else.
_SCORE, _SCORES = "score", "scores"

#: What numbers are held in parts of: of those that stand by themselves (scores, coordinates), and
#: scores in a list, the greatest, or 1 where it is less; of the others of a list, or in bytes (a
#: vector, a map), the greatest, whatever it is: a vector of 384 numbers and length 1 has none over
#: 0.2. Below that one there is but the noise of float32.
_ONE, _NOISE = 1.0, 1e-4


class UnlikeError(Exception):
    """Two answers part by more than is tolerated. Its text says where, and what each said."""


class Apart:
    """How far the answers of some rows are from others'."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        #: Greatest distance of two numbers, in parts of what they are held in parts of.
        self.most = 0.0
        self.rows = 0
        #: Rows whose first label is another.
        self.first_changed = 0

    def add(self, row: TaskInput, wanted: object, found: object) -> None:
        """Hold a row's answer against another. Raises UnlikeError."""
        self.rows += 1
        if isinstance(wanted, WherryError) and isinstance(found, WherryError):
            return  # a row that none can read
        if not (isinstance(wanted, TaskOutput) and isinstance(found, TaskOutput)):
            raise UnlikeError(f"it says {_short(found)} where the answer is {_short(wanted)}")
        if _firsts(wanted) != _firsts(found):
            self.first_changed += 1
        cut = getattr(row, "threshold", None)
        self._hold(wanted.model_dump(), found.model_dump(), "", cut)

    def _hold(self, wanted: Any, found: Any, at: str, cut: float | None) -> None:  # of any output
        if isinstance(wanted, Mapping) and isinstance(found, Mapping) and {*wanted} == {*found}:
            for name, value in wanted.items():
                self._hold(value, found[name], f"{at}.{name}" if at else name, cut)
        elif _is_ranked(wanted) and _is_ranked(found):
            self._ranked(list(wanted), list(found), at, cut)
        elif _is_list(wanted) and _is_list(found) and len(wanted) == len(found):
            if wanted and all(isinstance(each, float) for each in (*wanted, *found)):
                least = _ONE if at.startswith(_SCORES) else _NOISE
                self._numbers(np.asarray(wanted), np.asarray(found), at, least)
                return
            for place, pair in enumerate(zip(wanted, found, strict=True)):
                self._hold(*pair, f"{at}[{place}]", cut)
        elif isinstance(wanted, float) and isinstance(found, float):
            self._numbers(np.asarray([wanted]), np.asarray([found]), at, _ONE)
        elif isinstance(wanted, bytes) and isinstance(found, bytes) and wanted != found:
            self._files(wanted, found, at)
        elif wanted != found:
            raise UnlikeError(f"{at}: {_short(found)} where the answer is {_short(wanted)}")

    def _numbers(self, wanted: NDArray[Any], found: NDArray[Any], at: str, least: float) -> None:
        real = np.isfinite(wanted)
        if not (real == np.isfinite(found)).all():
            raise UnlikeError(f"{at}: holds NaN or infinity where the answer does not")
        if not real.any():
            return
        apart = np.abs(wanted[real] - found[real])
        moved = float(apart.max()) / max(least, float(np.abs(wanted[real]).max()))
        self.most = max(self.most, moved)
        if moved > self.tolerance:
            place = int(apart.argmax())
            raise UnlikeError(
                f"{at}: {found[real][place]:.4g} where the answer is {wanted[real][place]:.4g}"
            )

    def _files(self, wanted: bytes, found: bytes, at: str) -> None:
        """Pictures, or floats as they lie in memory."""
        if wanted.startswith(_PNG) and found.startswith(_PNG):
            one, other = (
                np.asarray(Image.open(io.BytesIO(f))).astype(int) for f in (wanted, found)
            )
            if one.shape == other.shape:
                share = float((np.abs(one - other) > _LEVELS).mean())
                if share <= max(_PIXELS, self.tolerance):
                    self.most = max(self.most, share)
                    return
                raise UnlikeError(f"{at}: {share:.1%} of the pixels differ")
        elif len(wanted) == len(found) and len(wanted) % 4 == 0:
            self._numbers(np.frombuffer(wanted, "<f4"), np.frombuffer(found, "<f4"), at, _NOISE)
            return
        raise UnlikeError(f"{at}: other bytes")

    def _ranked(self, wanted: list[Any], found: list[Any], at: str, cut: float | None) -> None:
        """Entries with scores: what scores alike may change places, and what is at the threshold,
        or ties with the last, may be in one answer alone.
        """
        left: list[Any] = []
        rest = list(found)
        for entry in wanted:
            twin = next((other for other in rest if self._is_twin(entry, other)), None)
            if twin is None:
                left.append(entry)
            else:
                rest.remove(twin)
                self._hold(entry, twin, at, None)
        lowest = min((e[_SCORE] for e in (*wanted, *found)), default=0.0)
        for entry in (*left, *rest):
            others = rest if entry in left else left
            near_cut = cut is not None and abs(entry[_SCORE] - cut) <= self.tolerance
            is_last = abs(entry[_SCORE] - lowest) <= self.tolerance and len(left) == len(rest)
            if near_cut or (is_last and not any(_words(entry) == _words(o) for o in others)):
                continue
            if len(left) == len(rest) == 1:
                self._hold(left[0], rest[0], at, None)  # which says by how much
            said = f"{_short(rest)} where the answer is {_short(left)}"
            raise UnlikeError(f"{at}: {said}")

    def _is_twin(self, entry: Any, other: Any) -> bool:
        trial = Apart(self.tolerance)
        try:
            trial._hold(entry, other, "", None)
        except UnlikeError:
            return False
        return True


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _is_ranked(value: Any) -> bool:
    return _is_list(value) and all(isinstance(e, Mapping) and _SCORE in e for e in value)


def _words(entry: Mapping[str, Any]) -> list[object]:
    return [value for value in entry.values() if not isinstance(value, float | bytes | Mapping)]


def _firsts(output: TaskOutput) -> list[object]:
    """What stands first of each field of one row: of entries with scores the words of the first."""
    firsts: list[object] = []
    for field in output.contents():
        for entry in getattr(output, field):
            if isinstance(entry, list) and entry and hasattr(entry[0], _SCORE):
                firsts.append(_words(entry[0].model_dump()))
            elif isinstance(entry, str):
                firsts.append(entry)
    return firsts


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else text[:97] + "..."
