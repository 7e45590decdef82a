"""`wherry doctor`: versions, measurements, and what is wrong, with a remedy each."""

from __future__ import annotations

import typer

from ...client.errors import UsageError
from ...client.terminal import AsJson, Url, print_error, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(url: Url = "", as_json: AsJson = False) -> None:
    """Look at the whole fleet once: what is wrong, what it means, what to do. 1: an error."""
    from ...jobs.settings import JobsSettings, SettingsError, from_environment
    from .examination import examine
    from .report import document, findings, show

    try:
        facts = examine(from_environment(JobsSettings), url)
    except (SettingsError, UsageError) as error:
        print_error(str(error))
        raise typer.Exit(2) from None
    found = findings(facts)
    told = document(facts, found)
    if as_json:
        print_json(told)
    else:
        show(facts, found)
    raise typer.Exit(0 if told["ok"] else 1)
