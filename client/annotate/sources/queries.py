"""Data bases in what people write: `sqlite:///rows.db`, `postgresql://HOST/NAME`, and a query.

No secret is part of it: a run's record, ledgers and reports have it as it is.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote

from ....protocol.errors import InvalidRequest
from ....protocol.places import has_password
from ...errors import UsageError

_SQLITE = re.compile(r"sqlite://", re.IGNORECASE)
_POSTGRESQL = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Query:
    """The rows of a data base that are meant."""

    #: A SELECT; "" for sources that are none of a data base.
    text: str = ""
    #: A column whose values are unique: rows come in its order, and can be cut by it. "" for the
    #: query's own order.
    order_by: str = ""

    @property
    def select(self) -> str:
        """The query without what ends it. Raises UsageError where there is none."""
        text = self.text.strip().rstrip(";").rstrip()
        if not text:
            raise UsageError("a data base needs a query: --query 'select id, text from reviews'")
        return text

    @property
    def as_table(self) -> str:
        """The query as a table of another one; a comment at its end is closed by the line's."""
        return f"({self.select}\n) as wherry_rows"


NO_QUERY = Query()


def is_database(spec: str) -> bool:
    """Whether a URL names a data base."""
    return bool(_SQLITE.match(spec)) or is_server(spec)


def is_server(spec: str) -> bool:
    """Whether a URL names a data base that a server has."""
    return _POSTGRESQL.match(spec) is not None


def database_path(spec: str) -> str:
    """The file of a `sqlite:` URL, a server's URL as it is. Raises InvalidRequest."""
    if is_server(spec):
        refuse_secret(spec)
        return _POSTGRESQL.sub("postgresql://", spec, count=1)
    host, slash, path = _SQLITE.sub("", spec, count=1).partition("/")
    if host or not slash or not path or "?" in path:
        raise InvalidRequest(
            f"{spec}: name a file: sqlite:///rows.db below here, sqlite:////data/rows.db from the"
            " root, without parameters"
        )
    return os.path.abspath(unquote(path)).replace(os.sep, "/")  # noqa: PTH100 # no Path: see join


def refuse_secret(url: str) -> None:
    """Raise InvalidRequest for a URL with a password in it, without repeating it."""
    if has_password(url):
        raise InvalidRequest(
            "source: its URL holds a password, which records and reports would show: leave it out,"
            " and name it by PGPASSWORD or in ~/.pgpass"
        )
