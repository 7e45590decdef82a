"""Outputs behind a URL, `s3://` for one: what is last is what says that all is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..client.annotate.places import REPORT
from ..protocol.errors import InvalidRequest, Unavailable


def upload(out: str, files: Mapping[str, Path]) -> None:
    """Put files beside `out`. An object appears whole; the report comes last, when all are there.

    Raises InvalidRequest for a place that refuses, Unavailable for one that is away.
    """
    from fsspec.core import url_to_fs

    above = out.rstrip("/").rpartition("/")[0]
    try:
        fs, folder = url_to_fs(above, use_listings_cache=False)
        for name in sorted(files, key=lambda name: name.endswith(f".{REPORT}")):
            fs.put_file(str(files[name]), f"{folder}/{name}")
    except (ImportError, ValueError, PermissionError, FileNotFoundError) as error:
        raise InvalidRequest(f"{out}: {error}") from None
    except Exception as error:  # each file system has its own network errors
        raise Unavailable(f"{out}: {error}") from error
