"""What lies at a path, to be compared with what lies there later."""

from __future__ import annotations

from pathlib import Path

#: Paths with their sizes and times.
Files = frozenset[tuple[str, int, int]]


def files_at(path: Path) -> Files:
    """A file, or all that a folder holds however deep; nothing where none is, or is being made."""
    try:
        paths = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        found = [(each, each.stat()) for each in paths]
    except OSError:
        return frozenset()
    return frozenset((str(each), stat.st_size, stat.st_mtime_ns) for each, stat in found)
