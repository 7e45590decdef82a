"""`wherry annotate`. What it runs is imported when it is called: numpy and Pillow among it.

Exit status 0: every row has its answer; 1: some rows failed, or the run broke off; 2: the command
was not understood.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from .client import Client
from .command_inputs import parameters_of, seconds_of, texts_of
from .detach_command import detached_options, following_options, refuse_staying, start_run
from .terminal import AsJson, Url, connected, print_json, stderr, stdout

if TYPE_CHECKING:
    from .annotate import Options, Summary
    from .annotate.forecast import Forecast
    from .annotate.standing import Outlook

#: Seconds that a run waits for a server that is away: long enough for a restart by hand.
_PATIENCE_S = 600.0

Column = Annotated[str, typer.Option(help="The column of a table that holds it.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("annotate")(annotate_command)


def annotate_command(
    source: Annotated[
        str,
        typer.Argument(help="Folder, archive, glob, list, table, URL, data base or upload:ID."),
    ],
    model: Annotated[str, typer.Option("--model", "-m", help="The model's name.")],
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="PATH", help="Where the annotations go.")
    ] = "",
    task: Annotated[str, typer.Option(help="The task that the model must do.")] = "",
    format: Annotated[str, typer.Option("--format", "-f", help="Default: by OUT's name.")] = "",  # noqa: A002 # what people type
    param: Annotated[
        list[str] | None, typer.Option(help="A task parameter, threshold=0.5; may be repeated.")
    ] = None,
    input: Annotated[  # noqa: A002 # what people type
        list[str] | None,
        typer.Option(help='An input that all rows share, text="What is it?"; may be repeated.'),
    ] = None,
    query: Annotated[
        str, typer.Option(help="Of a data base: the rows, select id, text from reviews.")
    ] = "",
    order_by: Annotated[
        str, typer.Option(help="The query's column of unique values that orders its rows.")
    ] = "",
    image_column: Column = "",
    text_column: Column = "",
    audio_column: Column = "",
    id_column: Column = "",
    column: Annotated[
        list[str] | None,
        typer.Option(help="Another input's column, questions=query; may be repeated."),
    ] = None,
    every: Annotated[
        str, typer.Option(help="Of films, a frame so often is a row: 1s, 500ms, 2.")
    ] = "",
    frames: Annotated[
        str | None, typer.Option(help="Frames or pages that are rows: first, all, or every N-th.")
    ] = None,
    reuse: Annotated[bool, typer.Option(help="Keep what earlier runs have finished.")] = True,
    retry_errors: Annotated[
        Path | None,
        typer.Option(help="Try the rows of this errors file again.", exists=True, dir_okay=False),
    ] = None,
    max_errors: Annotated[
        int | None, typer.Option(min=0, help="Break off when more rows fail.")
    ] = None,
    report: Annotated[bool, typer.Option(help="Write a page about the run, with samples.")] = True,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace what no run with these options wrote at OUT."),
    ] = False,
    images: Annotated[
        str,
        typer.Option(help="link, copy or none: pictures beside labels, where they may lie."),
    ] = "",
    split: Annotated[
        str, typer.Option(help="Parts beside train: val=0.1,test=0.1. Films are not cut.")
    ] = "",
    media_prefix: Annotated[
        str, typer.Option(help="What the path of a row's file begins with for Label Studio.")
    ] = "",
    near_duplicates: Annotated[
        bool,
        typer.Option("--near-duplicates", help="Look for pictures that look alike, among all."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run 50 rows, predict.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Let the fleet do it: this command ends at once.")
    ] = False,
    upload: Annotated[
        bool, typer.Option("--upload", help="Detached: send the source to the fleet first.")
    ] = False,
    sample: Annotated[
        int, typer.Option(min=0, help="Detached: rows to answer first, then wait for a word.")
    ] = 0,
    max_device_seconds: Annotated[
        float, typer.Option(min=0, help="Detached: break off past so much device time.")
    ] = 0,
    name: Annotated[str, typer.Option(help="Detached: what to call the run.")] = "",
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="Detached: files that come later are annotated as they come."
        ),
    ] = False,
    follow_every: Annotated[
        str, typer.Option(help="How often to look for new files: 2s (default), 1m.")
    ] = "",
    part_every: Annotated[
        str, typer.Option(help="Let new files wait for others to share a part: 10m.")
    ] = "",
    follow_for: Annotated[str, typer.Option(help="Finish after so long: 8h, 7d.")] = "",
    compare: Annotated[
        str, typer.Option(help="Detached: a run to hold the output against at its end.")
    ] = "",
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a server that is away.")
    ] = _PATIENCE_S,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Annotate a data set. Run it again after anything: it goes on where it was."""
    from .annotate import Columns, Options, annotate
    from .annotate.live import View

    given = {"images": image_column, "texts": text_column, "audio": audio_column}
    fields = {name: value for name, value in given.items() if value}
    asked = detached_options(
        detach=detach,
        upload=upload,
        sample=sample,
        max_device_seconds=max_device_seconds,
        name=name,
        follow=follow,
        **following_options(
            follow=follow,
            follow_every=follow_every,
            part_every=part_every,
            follow_for=follow_for,
        ),
        compare=compare,
    )
    if not out and not detach:
        raise typer.BadParameter("name where the annotations go: --out")
    options = Options(
        source=source,
        query=query,
        order_by=order_by,
        model=model,
        out=Path(out),
        task=task,
        format=format,
        parameters=parameters_of(param or []),
        inputs=texts_of(input or []),
        columns=Columns(id=id_column, fields=fields | texts_of(column or [], "--column")),
        every=seconds_of(every, "--every") if every else None,
        frames=frames,
        reuse=reuse,
        retry_errors=retry_errors,
        max_errors=max_errors,
        report=report,
        overwrite=overwrite,
        images=images,
        split=_shares(split),
        media_prefix=media_prefix,
        near_duplicates=near_duplicates,
    )
    if detach:
        refuse_staying(
            dry_run=dry_run,
            retry_errors=bool(retry_errors),
            no_report=not report,
        )
        start_run(options, out, asked, url, patience, as_json=as_json)
        return
    try:
        with connected(url, patience) as client:
            if dry_run:
                seen = _predict(client, options, as_json=as_json)
                raise typer.Exit(1 if seen.failed else 0)
            with View(stderr, client, model) as shown:
                summary = annotate(client, options, shown)
    except KeyboardInterrupt:
        stderr.print("stopped; run the same command again to go on")
        raise typer.Exit(130) from None
    _show(summary, as_json=as_json)
    raise typer.Exit(1 if summary.failed else 0)


def _shares(split: str) -> dict[str, float]:
    """Parts of the data set and their shares."""
    parts = texts_of([part.strip() for part in split.split(",") if part.strip()], "--split")
    try:
        return {name: float(share) for name, share in parts.items()}
    except ValueError:
        told = "a part's share is a number: --split val=0.1,test=0.1"
        raise typer.BadParameter(f"--split {split!r}: {told}") from None


def _predict(client: Client, options: Options, *, as_json: bool) -> Forecast:
    from .annotate.forecast import forecast
    from .annotate.prepared import prepared, sizes

    asked = prepared(client, options)
    outlook = asked.placing.look()
    size = sizes(client, asked.origin)
    seen = forecast(client, asked.source, asked.origin, size.rows, size.in_flight)
    if as_json:
        view = {
            "writes": list(map(str, options.writes)),
            "replaces": outlook.replaces,
            "overwrites": list(map(str, outlook.overwrites)),
        }
        print_json({**asdict(seen), **view})
    else:
        _show_forecast(seen)
        _show_outlook(options, outlook)
    return seen


def _show_forecast(seen: Forecast) -> None:
    _line("sampled", f"{seen.sampled} rows, {seen.failed} failed", "red" if seen.failed else "")
    _line("pace", f"{seen.rows_per_s:,.1f} rows/s")
    if seen.rows is None or seen.seconds is None:
        _line("whole source", "it does not say how many rows it has")
    else:
        low, high = seen.seconds_low or 0.0, seen.seconds_high or 0.0
        _line("whole source", f"{seen.rows:,} rows")
        _line("time", f"{seen.seconds:,.0f} s ({low:,.0f} to {high:,.0f})")
        _line("compute", f"{seen.compute_seconds or 0:,.0f} s on the devices")


def _show_outlook(options: Options, outlook: Outlook) -> None:
    *always, errors = map(str, options.writes)
    for place, told in enumerate((*always, f"{errors}, if rows fail")):
        _line("" if place else "would write", told)
    if outlook.replaces:
        _line("would replace", f"{outlook.replaces:,} files of earlier runs")
    for path in outlook.overwrites:
        _line("", f"{path}, which no run wrote", "yellow")
    if options.overwrite and options.out.is_dir():
        _line("", f"what has the name of a row's file in {options.out}", "yellow")


def _show(summary: Summary, *, as_json: bool) -> None:
    from .annotate.annotate import view
    from .annotate.sources.kinds import counted

    if as_json:
        print_json(view(summary))
        return
    _line("annotations", str(summary.out))
    if summary.errors:
        row, error = next(iter(summary.findings.errors.items()))
        _line("errors", str(summary.errors), "red")
        _line("", f"{summary.failed:,} rows; of {row}: {error}", "red")
    if summary.findings.warned:
        row, warning = next(iter(summary.findings.warnings.items()))
        _line("warnings", f"{summary.findings.warned:,} rows; of {row}: {warning}", "yellow")
    for note in summary.findings.notes:
        _line("note", note, "yellow")
    if summary.report:
        _line("report", str(summary.report))
    _line("rows", f"{summary.rows:,}, of which {summary.reused:,} were reused")
    if summary.left_out:
        _line("left out", counted(summary.left_out))
    _line("time", f"{summary.seconds:,.1f} s, {summary.rows_per_s:,.1f} rows/s")
    for label, count in summary.findings.labels.most_common(8):
        _line("", f"{count:>8,} {label}")


def _line(label: str, told: str, style: str = "") -> None:
    """A line on stdout; paths in it are whole, and nothing is markup."""
    stdout.print(Text.assemble(f"{label:14}", (told, style)), soft_wrap=True, highlight=False)
