"""Runs that follow their source: what they cannot be asked, and what is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...jobs.run_records import Run
from ...jobs.uploads import SCHEME
from ...protocol.errors import InvalidRequest
from ...tasks.annotations.formats import BY_NAME
from .views import timestamp

if TYPE_CHECKING:
    from .run_intake import RunAsked


def check_following(asked: RunAsked) -> None:
    """Raise InvalidRequest for what does not go with following, or only with it."""
    if not asked.follow:
        for name in ("part_every_s", "follow_for_s"):
            if getattr(asked, name):
                raise InvalidRequest(f"{name}: goes with follow")
        return
    if asked.source.startswith((SCHEME, "@")):
        raise InvalidRequest(
            "follow: an upload and a list do not grow: name a folder, a glob or an s3:// prefix"
        )
    for name in ("query", "order_by", "sample", "every", "frames"):
        if getattr(asked, name) not in ("", 0, None):
            raise InvalidRequest(f"{name}: does not go with follow")
    if asked.format and not BY_NAME[asked.format].is_lines:
        fit = ", ".join(name for name, each in BY_NAME.items() if each.is_lines)
        raise InvalidRequest(
            f"format: {asked.format!r} is written whole, at the end: with follow name one of {fit};"
            " a finished run is fetched in any other"
        )


def following_view(run: Run) -> dict[str, Any] | None:
    """What a run's document says of how it follows; None for one that does not."""
    spec, at = run.spec, run.progress
    if not spec.follow:
        return None
    found = at.follow
    return {
        "following": at.following and not run.state.terminal,
        "finishing": at.finishing,
        "every_s": spec.follow_every_s,
        "part_every_s": spec.part_every_s,
        "for_s": spec.follow_for_s,
        "since": timestamp(found.since_ms if found else None),
        "found_at": timestamp(found.found_at_ms if found else None),
        "files": found.files if found else 0,
        "waiting": found.waiting if found else 0,
        "trouble": found.trouble if found else "",
    }


def left_out(run: Run) -> dict[str, int]:
    """Files of a run's source that are no rows, by suffix: of a followed one, as it is now."""
    if run.progress.follow is not None:
        return run.progress.follow.left_out
    return run.plan.left_out if run.plan else {}
