"""What lets people and machines into a stack that is open to others: its passwords, an API key,
and the file by which this machine's commands find the fleet.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from ..api.access.keys import make
from ..jobs import JobsSettings, Queue, redis_url
from ..jobs.access_keys import all_keys, put_key
from ..protocol.env_file import env_text, write_private
from ..protocol.errors import WherryError
from ..protocol.places import LOCAL
from .checks import StackError
from .data_folder import DataFolder
from .exposure import Exposure
from .redis_access import RedisAccess

#: Why Flower is not opened with the rest.
FLOWER_NEEDS_A_PASSWORD = "WHERRY_FLOWER_AUTH=name:password opens it beside the API"  # noqa: S105

#: What closes an API that is open to everybody.
_CLOSE = "unset WHERRY_REQUIRE_API_KEYS and the next start makes a key; see docs/security.md"

#: Random bytes of a password that nobody types.
_SECRET_BYTES = 32

_HEAD = """\
How commands of this machine reach the fleet that `wherry up` runs here; each start writes it anew.
  wherry --env-file FILE keys list
  wherry --env-file FILE join-file     (makes the one that a worker elsewhere needs)
Whoever reads it owns the fleet.
"""


def kept_secret(path: Path) -> str:
    """A secret of the data folder, made where there is none. Raises StackError."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, secrets.token_urlsafe(_SECRET_BYTES) + "\n")
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{path}: {error}") from None
    if not found:
        raise StackError(f"{path} is empty: remove it, and the next start makes another")
    return found


def given_password(file: Path | None) -> str | None:
    """The password that the operator chose for Redis; None where none did. Raises StackError.

    It is no option: every user of a machine sees the options of its processes.
    """
    said = os.environ.get("WHERRY_REDIS_PASSWORD")
    if file is not None:
        try:
            said = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StackError(f"--redis-password-file {file}: {error}") from None
    if said is not None and any(not " " < character < "\x7f" for character in said):
        raise StackError("Redis' password: expected one word of letters, digits and signs")
    return said


def redis_access(exposure: Exposure, folder: DataFolder, password: str | None) -> RedisAccess:
    """Who reaches a stack's own Redis. Raises StackError for one that is open to everybody."""
    if not exposure.is_open:
        return RedisAccess(exposure, password or "")
    found = kept_secret(folder.redis_password) if password is None else password
    if not found:
        raise StackError(
            f"--redis-port opens Redis on {exposure.host} and its password is empty: whoever"
            " reaches it would own the fleet. Unset WHERRY_REDIS_PASSWORD, and one is made and kept"
            f" in {folder.redis_password}, or set one"
        )
    return RedisAccess(exposure, found, kept_secret(folder.worker_password))


def open_defaults(exposure: Exposure) -> dict[str, str]:
    """What services are told by where they are reached from, unless the operator says otherwise."""
    trusted = (
        {"WHERRY_CA_FILE": str(exposure.tls.ca.absolute())}
        if exposure.tls and exposure.tls.ca
        else {}
    )
    if not exposure.is_open:
        # Whoever reaches it is of this machine, as long as it has no API keys.
        return {"WHERRY_RUN_PLACES": LOCAL, **trusted}
    return {"WHERRY_REQUIRE_API_KEYS": "true", "WHERRY_GRPC_HOST": exposure.host, **trusted}


def let_in(
    host: str,
    folder: DataFolder,
    environment: Mapping[str, str],
    settings: JobsSettings,
    log: Callable[[str, str], None],
) -> None:
    """Make an admin's API key for an open API, where the fleet has none. Raises StackError."""
    if environment.get("WHERRY_API_KEYS"):
        return
    queue = Queue(settings.redis_url)
    try:
        if queue.run(all_keys(settings)):
            return
        if environment["WHERRY_REQUIRE_API_KEYS"].lower() in ("0", "false", "no", "off", "f", "n"):
            log("api", f"WARNING: takes anybody who reaches {host}: {_CLOSE}")
            return
        made = make(scopes=["admin"], note="made by wherry up")
        write_private(folder.api_key, made.token + "\n")
        queue.run(put_key(made.key.id, made.key.json_text(), settings))
    except WherryError as error:
        raise StackError(redis_url.explain(error, settings.redis_url)) from None
    except OSError as error:
        raise StackError(f"{folder.api_key}: {error.strerror}") from None
    finally:
        queue.close()
    log("api", f"has its first key, an admin's: export WHERRY_API_KEY_FILE={folder.api_key}")


def write_fleet_file(
    folder: DataFolder, environment: Mapping[str, str], *, url: str, others: Mapping[str, str]
) -> None:
    """Say how this machine's commands reach the fleet. Raises StackError."""
    names = [f"WHERRY_{name.upper()}" for name in (*JobsSettings.model_fields, "models", "ca_file")]
    values = {"WHERRY_URL": url, **{n: environment[n] for n in names if environment.get(n)}}
    if folder.api_key.exists():
        values["WHERRY_API_KEY_FILE"] = str(folder.api_key)
    values["WHERRY_STORE_DIR"] = str(Path(values.get("WHERRY_STORE_DIR", "")).absolute())
    try:
        write_private(folder.fleet_file, env_text({**values, **others}, head=_HEAD))
    except (OSError, ValueError) as error:
        raise StackError(f"{folder.fleet_file}: {error}") from None
