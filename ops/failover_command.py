"""`wherry failover`: have a Redis behind sentinels hand over to a replica, and lose nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from ..client.terminal import AsJson, print_error, print_json, stdout


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("failover")(failover)


def failover(
    family: Annotated[
        str, typer.Option(help="That of a family with its own Redis; default the fleet's.")
    ] = "",
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds until it is given up; fewer leave it undone.")
    ] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Have Redis hand over to a replica, as before a restart. No accepted job is lost that one
    replica has: where that cannot be it is refused, and why said.
    """
    from ..jobs.hand_over import FailoverRefusedError, hand_over
    from ..jobs.settings import JobsSettings, SettingsError, from_environment
    from ..protocol.errors import WherryError

    try:
        settings = from_environment(JobsSettings)
        if family and family not in settings.own_redis:
            raise SettingsError(f"WHERRY_FAMILY_REDIS has no Redis of {family!r}")
        if family:
            setting = f"WHERRY_FAMILY_REDIS ({family})"
            done = hand_over(settings.own_redis[family], patience_s=patience, setting=setting)
        else:
            done = hand_over(settings.redis_url, patience_s=patience)
    except SettingsError as error:
        print_error(str(error))
        raise typer.Exit(2) from None
    except (FailoverRefusedError, WherryError) as error:
        print_error(str(error))
        raise typer.Exit(1) from None
    if as_json:
        print_json(done._asdict())
        return
    stdout.print(f"{done.before} handed over to {done.after}", highlight=False)
    stdout.print(f"{done.following} of {done.replicas} replicas follow it", highlight=False)
    if done.following < done.replicas:
        print_error("wait until all do before the next step: wherry doctor")
        raise typer.Exit(1)
