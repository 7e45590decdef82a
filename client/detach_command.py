"""`wherry annotate --detach`: the same data set, as a run of the fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from .durations import seconds_of
from .run_shown import show_runs
from .terminal import connected, stdout

if TYPE_CHECKING:
    from .annotate import Options

#: Options of the command that a run takes by the same names.
_SAME = (
    *("query", "order_by"),
    *("task", "format", "parameters", "inputs", "columns", "every", "frames"),
    *("max_errors", "overwrite", "images", "split", "media_prefix", "near_duplicates"),
)


def detached_options(*, detach: bool, **given: Any) -> dict[str, Any]:
    """What only a detached run has. Raises BadParameter for such an option without `--detach`."""
    asked = {name: value for name, value in given.items() if value}
    if asked and not detach:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise typer.BadParameter(f"{named}: goes with --detach")
    return asked


def following_options(*, follow: bool, **spans: str) -> dict[str, float]:
    """Spans of time of a run that follows its source, in seconds, by their names there.

    Raises BadParameter for one without `--follow`.
    """
    given = {name: text for name, text in spans.items() if text}
    if given and not follow:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise typer.BadParameter(f"{named}: goes with --follow")
    return {
        f"{name}_s": seconds_of(text, f"--{name.replace('_', '-')}") for name, text in given.items()
    }


def refuse_staying(**given: bool) -> None:
    """Raise BadParameter for an option that only a command which stays has."""
    named = [f"--{name.replace('_', '-')}" for name, is_given in given.items() if is_given]
    if named:
        raise typer.BadParameter(f"{', '.join(named)}: does not go with --detach")


def start_run(
    options: Options,
    out: str,
    asked: dict[str, Any],
    url: str,
    patience_s: float,
    *,
    as_json: bool,
) -> None:
    """Start a run, and say how to go on."""
    upload = asked.pop("upload", False)
    same = {name: getattr(options, name) for name in _SAME}
    if not options.reuse:
        same["reuse"] = False  # an older server knows no other way, nor the word
    with connected(url, patience_s) as client:
        source = client.runs.upload(options.source)["source"] if upload else options.source
        run = client.annotate(source, model=options.model, out=out, detach=True, **same, **asked)
    show_runs([run], as_json=as_json)
    if not as_json:
        fetch = "" if out else f", then wherry runs fetch {run.id}"
        stdout.print(f"wherry runs watch {run.id}{fetch}", soft_wrap=True, highlight=False)
