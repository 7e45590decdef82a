"""`wherry runs pick`: the rows of a run that people should look at first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .terminal import AsJson, Url, connected, print_json, stdout

#: Seconds that a server which is away is waited for.
_PATIENCE_S = 60.0


def pick(
    id: Annotated[str, typer.Argument(help="A run's id.")],  # noqa: A002 # what people type
    least_sure: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many, those of the lowest scores.")
    ] = 200,
    by_label: Annotated[
        bool, typer.Option("--by-label", help="In turns, one of each first label.")
    ] = False,
    format: Annotated[  # noqa: A002 # what people type
        str, typer.Option("--format", "-f", help="label-studio or jsonl.")
    ] = "label-studio",
    media_prefix: Annotated[
        str, typer.Option(help="What the path of a row's file begins with for Label Studio.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to; default by the run's name.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Write the rows of which the model is least sure, as tasks for Label Studio to import."""
    with connected(url, _PATIENCE_S) as client:
        path = client.runs.pick(
            id,
            out or "",
            least_sure=least_sure,
            by_label=by_label,
            format=format,
            media_prefix=media_prefix,
            overwrite=overwrite,
        )
    if as_json:
        print_json({"id": id, "out": str(path)})
    else:
        stdout.print(str(path), soft_wrap=True, highlight=False, markup=False)
