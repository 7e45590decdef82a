"""What a model's batches were seen to need: how many rows fit a device, kept across restarts."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from .call import Call
from .keys import Keys
from .settings import JobsSettings

#: Seconds without news after which it is forgotten: by then the fleet is another.
_TTL_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Fit:
    """How many rows of one shape bucket fit, as far as is known."""

    #: Rows that a batch may hold now.
    rows: int
    #: The most that went through since memory last ran out below it; 0 when nothing has.
    good: int
    #: Full batches that must go well before more are tried.
    pace: int


def recall(device: str, model: str, version: str, settings: JobsSettings) -> Call[dict[int, Fit]]:
    """What is known of a model on a kind of device, by shape bucket."""
    return Call(
        [("HGETALL", _key(device, model, version, settings))],
        parse=lambda found: {int(bucket): _fit(text) for bucket, text in found.items()},
    )


def remember(
    device: str, model: str, version: str, bucket: int, fit: Fit | None, settings: JobsSettings
) -> Call[None]:
    """Keep what fits; None when all that was declared fits again."""
    key = _key(device, model, version, settings)
    change: tuple[object, ...] = ("HDEL", key, bucket)
    if fit is not None:
        change = ("HSET", key, bucket, f"{fit.rows} {fit.good} {fit.pace}")
    expire = ("EXPIRE", key, _TTL_S)
    return Call([change, expire], parse=lambda _: None)


def _key(device: str, model: str, version: str, settings: JobsSettings) -> str:
    words = (quote(word, safe="") for word in (device, model, version))
    return Keys(settings.key_prefix).fits("/".join(words))


def _fit(text: bytes) -> Fit:
    rows, good, pace = map(int, text.split())
    return Fit(rows, good, pace)
