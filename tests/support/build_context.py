"""What `docker build` is sent of a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from e2b_dockerfile_utils.dockerignore import PatternMatcher


def sent(root: Path) -> Iterator[Path]:
    """Files and links that .dockerignore lets through, relative to `root`."""
    lines = (root / ".dockerignore").read_text().splitlines()
    ignored = PatternMatcher([line for line in lines if line and not line.startswith("#")])
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [
            name
            for name in folders
            if name not in links and name not in {".git", ".venv", "node_modules"}
        ]
        for name in (*files, *links):
            path = here / name
            if not ignored.matches(path.as_posix()):
                yield path


def copy(root: Path, into: Path) -> None:
    """Lay down what is sent."""
    for path in sent(root):
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, into / path, follow_symlinks=False)
