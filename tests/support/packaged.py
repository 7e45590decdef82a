"""Trained models that packages bring, made once on this machine."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from pathlib import Path

from wherry.samples import packaged

from .once import once


@functools.cache
def model(name: str) -> Path:
    """The folder of a model in `wherry.samples.packaged.BUILDERS`.

    Kept under the system's temporary folder until the code that builds them changes.
    """
    return once(_kept() / name, functools.partial(packaged.build, name))


@functools.cache
def _kept() -> Path:
    digest = hashlib.sha256()
    for file in sorted(Path(packaged.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return Path(tempfile.gettempdir(), f"wherry-packaged-{os.getuid()}", digest.hexdigest()[:12])
