"""Where an output's files are: OUT itself, and what lies beside it."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError

#: What may lie beside OUT, by what follows its name.
ERRORS, REPORT, PAGE, _LEDGER = "errors.jsonl", "report.json", "report.html", "ledger"
#: The same of pictures that wait for a writer, and never come to lie there.
PICTURES = "pictures"


def beside(out: Path, suffix: str) -> Path:
    """A file that belongs to an output."""
    return out.with_name(f"{out.name}.{suffix}")


def ledger_path(out: Path) -> Path:
    """Where an output's ledger is."""
    return beside(out, _LEDGER)


def all_paths(out: Path) -> tuple[Path, ...]:
    """Every path that a run may write: a folder's own files are below the first."""
    return (out, *(beside(out, suffix) for suffix in (ERRORS, REPORT, PAGE, _LEDGER)))


def named(out: Path) -> Path:
    """The output's path. Raises UsageError for one without a name of its own, or a URL."""
    if out.name in ("", ".."):
        raise UsageError(f"out {str(out)!r}: name a file or folder of its own, as in ./labels")
    if out.parts[0].endswith(":") and not out.drive:
        url = str(out).replace(":/", "://", 1)  # a path has one slash of a URL's two
        raise UsageError(
            f"out {url!r}: is written on this machine: name a path, no URL; a run (`--detach`) "
            "writes to buckets, and `wherry runs watch` stays with it"
        )
    return out
