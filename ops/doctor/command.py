"""`wherry doctor`: versions, measurements, and what is wrong, with a remedy each."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ...client.errors import UsageError
from ...client.terminal import AsJson, Url, print_error, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    url: Url = "",
    data_dir: Annotated[
        Path, typer.Option(help="Folder of a local stack: looked at while `wherry up` runs there.")
    ] = Path(".wherry"),
    as_json: AsJson = False,
) -> None:
    """Look at the whole fleet once: what is wrong, what it means, what to do. 1: an error.

    Without WHERRY_REDIS_URL that is the fleet which `wherry up` runs in this folder, if it does.
    """
    _look_here(data_dir)
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


def _look_here(data_dir: Path) -> None:
    """Take the settings of the stack that runs in a folder, where none are named."""
    from ...protocol.env_file import EnvFileError, load_env
    from ..data_folder import DataFolder

    folder = DataFolder(data_dir)
    if "WHERRY_REDIS_URL" in os.environ or not folder.is_in_use():
        return
    try:
        remarks = load_env(folder.fleet_file, os.environ)
    except EnvFileError as error:
        print_error(f"{error}; the fleet that runs there cannot be looked at")
        raise typer.Exit(2) from None
    for remark in (*remarks, f"looking at the fleet that `wherry up` runs in {data_dir}"):
        print(remark, file=sys.stderr)  # noqa: T201 # beside what is found
