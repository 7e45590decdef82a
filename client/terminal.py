"""What every command shares: its options, its client, and how it prints."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import (
    Console,
    ConsoleDimensions,
    ConsoleOptions,
    RenderableType,
    RenderResult,
)
from rich.live import Live
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ..protocol.errors import WherryError
from .client import Client
from .errors import UsageError

Url = Annotated[str, typer.Option(help="The server; default WHERRY_URL, else the local stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines, one value a line.")]


def _in_a_folder(path: Path | None) -> Path | None:
    """A file that may be written, found out before anything is waited for."""
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {str(path.parent)!r}")
    return path


#: An option that names a file to write.
OutFile = partial(typer.Option, dir_okay=False, callback=_in_a_folder)

#: Seconds that a command tries a full or absent server.
PATIENCE_S = 5.0

#: Columns that a pipe or a file has: nothing is cut or broken there.
_ENDLESS = 100_000


#: What a terminal would obey in a text: names, labels and messages are others' words.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Output(Console):
    """A console as wide as its lines where no terminal shows them; no text commands a terminal."""

    @property  # type: ignore[misc] # nobody sets it
    def size(  # pyright: ignore[reportIncompatibleMethodOverride] # likewise
        self,
    ) -> ConsoleDimensions:
        """The terminal's size, COLUMNS' width, or no bounds."""
        if self.is_terminal or "COLUMNS" in os.environ:
            return ConsoleDimensions(*shutil.get_terminal_size())
        return ConsoleDimensions(_ENDLESS, 25)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render a thing, without what a terminal would obey in its texts."""
        for segment in super().render(renderable, options):
            if not segment.control and _OBEYED.search(segment.text):
                yield Segment(_OBEYED.sub("", segment.text), segment.style)
            else:
                yield segment


stdout, stderr = Output(), Output(stderr=True)


@contextmanager
def connected(url: str, patience_s: float | None = None) -> Iterator[Client]:
    """A client whose errors become one line and exit status 1; a UsageError's is 2."""
    patience_s = PATIENCE_S if patience_s is None else patience_s
    try:
        with Client(url or None, patience_s=patience_s) as client:
            yield client
    except BrokenPipeError:
        raise  # whoever read us has left: typer ends quietly
    except (WherryError, OSError) as error:
        print_error(text_of(error))
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


def text_of(error: WherryError | OSError) -> str:
    """What an error says."""
    return error.message if isinstance(error, WherryError) else str(error)


def print_error(text: str) -> None:
    """One line on stderr."""
    stderr.print(f"[red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)


class WholeTable(Table):
    """A table; in a terminal too narrow for it, its rows one after another, a line a cell."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print it."""
        frame = 3 * len(self.columns) + 1  # a line and two blanks a column
        least = frame + sum(column.min_width or 0 for column in self.columns)
        if least <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        titles = [str(column.header) for column in self.columns]
        width = max(map(len, titles))
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            for title, cell in zip(titles, cells, strict=True):
                assert isinstance(cell, Text)  # table() adds nothing else
                line = Text.assemble((f"{title:{width}}  ", "bold"), cell)
                line.no_wrap, line.overflow = True, "ignore"
                yield line
            yield Text()


def table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, fold: str) -> Table:
    """A table whose cells are never markup, and whole but for the columns named in `fold`.

    What is there to be copied or compared, names, ids and numbers, is not broken in a narrow
    terminal; texts are, between two words. A column without a word in it is left out.
    """
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    filled = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    shown = WholeTable()
    for at in filled:
        folded = columns[at] in fold.split()
        whole = [part for row in cells for part in (row[at].split() if folded else [row[at]])]
        shown.add_column(
            columns[at],
            overflow="fold",
            no_wrap=not folded,
            min_width=max(text.cell_len for text in [Text(columns[at]), *whole]),
        )
    for row in cells:
        shown.add_row(*(row[at] for at in filled))
    return shown


def show(shown: RenderableType) -> None:
    """Print on stdout; what is wider than the terminal goes on in its next line, never lost."""
    stdout.print(shown, crop=False, highlight=False)


def watched(
    ask: Callable[[], dict[str, Any]],
    draw: Callable[[dict[str, Any]], RenderableType],
    *,
    again: bool,
    as_json: bool,
) -> None:
    """Print what a server says; with `again` each second until Ctrl-C."""
    if not again:
        print_json(ask()) if as_json else show(draw(ask()))
        return
    with suppress(KeyboardInterrupt):
        if as_json:
            while True:
                print_json(ask())
                time.sleep(1)
        with Live(Table(), console=stdout, auto_refresh=False) as live:
            while True:
                live.update(draw(ask()), refresh=True)
                time.sleep(1)


def print_json(document: Any) -> None:
    """One line on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()
