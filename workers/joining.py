"""How a process joins a fleet from another machine: by what the file of `wherry join-file` brought
into its environment.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import MutableMapping
from pathlib import Path
from urllib.parse import quote

from .. import __version__
from ..protocol.env_file import write_private

#: Where what the file brings along is put, from the current folder on.
FOLDER = Path(".wherry/join")

#: Stands in the file's URLs of Redis for the authority that it brings along.
AUTHORITY = "WHERRY_JOIN_CA"

_NAMED = f"ssl_ca_certs={AUTHORITY}"

_VERSION = re.compile(r"(\d+)\.(\d+)")


class CannotJoinError(ValueError):
    """This machine cannot work for the fleet; a line a fault, each with its remedy."""


def join(environment: MutableMapping[str, str], folder: Path = FOLDER) -> list[str]:
    """Look at what the file says, and put the files that it brings where settings name them.

    Nothing is done in a process that has no such file. Answers remarks. Raises CannotJoinError.
    """
    remarks = _compare_versions(environment.get("WHERRY_JOIN_VERSION", ""))
    if "WHERRY_JOIN_VERSION" in environment:
        _check_store(environment)
    models = environment.get("WHERRY_JOIN_MODELS")
    if models and not environment.get("WHERRY_MODELS"):
        environment["WHERRY_MODELS"] = _put("WHERRY_JOIN_MODELS", models, folder, "models.toml")
    if authority := environment.get("WHERRY_JOIN_CA"):
        path = _put("WHERRY_JOIN_CA", authority, folder, "ca.pem")
        environment.setdefault("WHERRY_CA_FILE", path)
        for name in ("WHERRY_REDIS_URL", "WHERRY_FAMILY_REDIS"):
            if text := environment.get(name):
                environment[name] = text.replace(_NAMED, f"ssl_ca_certs={quote(path)}")
    return remarks


def _compare_versions(theirs: str) -> list[str]:
    """A remark on a fleet of another version. Raises CannotJoinError for one too far apart."""
    if theirs in ("", __version__):
        return []
    ours_at, theirs_at = (_VERSION.match(version) for version in (__version__, theirs))
    if ours_at and theirs_at:
        (major, minor), (their_major, their_minor) = (
            map(int, found.groups()) for found in (ours_at, theirs_at)
        )
        if major != their_major or abs(minor - their_minor) > 1:
            raise CannotJoinError(
                f"this is wherry {__version__} and the fleet's is {theirs}, which is more than one"
                f" version apart: pip install wherry=={theirs}, or make the file anew once the"
                " fleet is upgraded"
            )
    return [
        f"this is wherry {__version__}, and the fleet's was {theirs} when the file was made: both"
        " work together, see docs/upgrading.md"
    ]


def _check_store(environment: MutableMapping[str, str]) -> None:
    """A folder that is not there would be made, and be nobody else's. Raises CannotJoinError."""
    folder = environment.get("WHERRY_STORE_DIR", "")
    if folder and not environment.get("WHERRY_STORE_URL") and not Path(folder).is_dir():
        raise CannotJoinError(
            f"WHERRY_STORE_DIR: there is no folder {folder}: mount the fleet's store there, or name"
            " the place where it is mounted by WHERRY_STORE_DIR"
        )


def _put(name: str, packed: str, folder: Path, file: str) -> str:
    """Write what the file brings, apart from other fleets' of this machine."""
    try:
        content = base64.b64decode(packed, validate=True)
        text = content.decode()
    except ValueError:
        raise CannotJoinError(f"{name} is broken: make the file anew by wherry join-file") from None
    path = folder.absolute() / hashlib.sha256(content).hexdigest()[:12] / file
    try:
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, text)
    except OSError as error:
        raise CannotJoinError(f"{path}: {error.strerror}: start in a folder of your own") from None
    return str(path)
