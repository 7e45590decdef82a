"""`wherry check`: whether the declared models can be served, before anything is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..workers.checks import CheckedModels


def checked_device(device: str) -> str:
    """A device as it was named. Raises BadParameter for what is none on any machine."""
    from ..workers.device import NoSuchGpuError, resolve

    try:
        resolve(device)
    except NoSuchGpuError:
        pass  # another machine may have it: what looks at this one says so
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return device


Device = Annotated[
    str,
    typer.Option(
        envvar="WHERRY_DEVICE",
        help="cpu, cuda:N, or auto: spread over GPUs.",
        callback=checked_device,
    ),
]

#: The declarations that are taken when nothing else is said.
DEFAULT_MODELS = Path("models.toml")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("check")(check)


def check(
    models: Annotated[
        Path, typer.Argument(envvar="WHERRY_MODELS", help="Model declarations.")
    ] = DEFAULT_MODELS,
    device: Device = "auto",
    handler_dir: Annotated[
        str, typer.Option(envvar="WHERRY_HANDLER_DIR", help="Trusted handlers: as the workers'.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check models.toml and each model's files, in seconds; no weights are loaded."""
    from ..workers.checks import check as look

    checked = look(models, device=device, handler_dir=handler_dir)
    if as_json:
        faults = [
            {"model": f.model, "level": "error" if f.is_error else "warning", "text": f.text}
            for f in checked.findings
        ]
        told = {"ok": not checked.errors, "models": len(checked.models), "faults": faults}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for finding in checked.findings:
            typer.echo(f"{'error' if finding.is_error else 'warning'}: {finding}", err=True)
        count = len(checked.models)
        typer.echo(f"{models}: {count} model{'' if count == 1 else 's'}, {_summary(checked)}")
    raise typer.Exit(1 if checked.errors else 0)


def _summary(checked: CheckedModels) -> str:
    counts = {"error": len(checked.errors), "warning": len(checked.warnings)}
    named = [f"{n} {word}{'' if n == 1 else 's'}" for word, n in counts.items() if n]
    return " and ".join(named) or "nothing is wrong with them"
