"""Files of NAME=value lines, as shells, systemd's EnvironmentFile and compose read them.

One that holds secrets is for its owner alone.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, MutableMapping
from pathlib import Path

#: Who may not read a file of secrets.
_OTHERS = 0o077

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EnvFileError(ValueError):
    """A file cannot be used; the text names it and its line, and shows no value."""


def read_env(path: Path) -> dict[str, str]:
    """The values of a file by their names. Raises EnvFileError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise EnvFileError(f"{path}: cannot be read: {why}") from None
    values: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, mark, rest = line.strip().removeprefix("export ").partition("=")
        try:
            words = shlex.split(rest)
        except ValueError:  # a quotation without an end
            words = ["", ""]
        if not mark or not _NAME.fullmatch(name) or len(words) > 1:
            raise EnvFileError(
                f"{path}: line {number}: expected NAME=value, spaces between quotation marks"
            )
        values[name] = words[0] if words else ""
    return values


def env_text(values: Mapping[str, str], *, head: str = "") -> str:
    """Values as such a file has them, under lines of remarks. Raises ValueError for line breaks."""
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    for name, value in values.items():
        if len(f"{value}.".splitlines()) > 1:
            raise ValueError(f"{name} has a line break, which no such file can hold")
        lines.append(f"{name}={shlex.quote(value) if value else ''}")
    return "\n".join(lines) + "\n"


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def load_env(path: Path, environment: MutableMapping[str, str]) -> list[str]:
    """Put a file's values into an environment, whose own go before them.

    Answers a line on each that does, and on a file of secrets that others may read. Raises
    EnvFileError.
    """
    remarks = []
    values = read_env(path)
    if path.stat().st_mode & _OTHERS:
        remarks.append(f"{path} can be read by other users: chmod 600 {path}")
    for name, value in values.items():
        if environment.setdefault(name, value) != value:
            remarks.append(f"{name} is another in the environment than in {path}, and goes before")
    return remarks
