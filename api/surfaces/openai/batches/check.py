"""The look over a batch's input before any of it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from .....jobs.batches import BatchError
from .....protocol.errors import WherryError
from .....tasks.catalog import Catalog
from . import endpoints
from .lines import Line, LineError, LineRequest, read_line

#: Errors told of one batch; whoever wrote the file sees from these what is wrong.
_MOST_ERRORS = 100


class Check:
    """Looks at lines in turn, and keeps what is wrong with them: in memory a number a line."""

    def __init__(self, endpoint: str, catalog: Catalog, max_lines: int) -> None:
        self.errors: list[BatchError] = []
        self.total = 0
        self._endpoint, self._catalog, self._max_lines = endpoint, catalog, max_lines
        self._seen: set[int] = set()
        self._known: set[tuple[str, str | None]] = set()

    @property
    def hopeless(self) -> bool:
        """Whether the rest need not be looked at."""
        return len(self.errors) >= _MOST_ERRORS or self.total > self._max_lines

    def look(self, lines: Iterable[Line]) -> None:
        """Look at the next lines."""
        for line in lines:
            self.total += 1
            if self.hopeless:
                break
            try:
                self._look(read_line(line.text))
            except LineError as error:
                self._note(error.code, error.message, error.param, line.number)

    def end(self) -> None:
        """Judge the whole."""
        if self.total > self._max_lines:
            self._note("too_many_lines", f"a batch may have {self._max_lines} lines: send several")
        elif not self.total:
            self._note("empty_file", "the input file has no lines")

    def too_long(self, number: int, max_bytes: int) -> None:
        """Note a line that could not be read for its length."""
        self.total += 1
        self._note("line_too_long", f"a line may have {max_bytes} bytes", None, number)

    def _note(
        self, code: str, message: str, param: str | None = None, line: int | None = None
    ) -> None:
        self.errors.append(BatchError(code=code, message=message, param=param, line=line))

    def _look(self, asked: LineRequest) -> None:
        # Eight bytes a name: two of a million lines meet by chance once in 37 million batches.
        name = hashlib.blake2b(asked.custom_id.encode("utf-8", "replace"), digest_size=8).digest()
        number = int.from_bytes(name)
        if number in self._seen:
            raise LineError(
                "duplicate_custom_id",
                f"custom_id: {asked.custom_id[:100]!r} is there before; each line needs its own",
                "custom_id",
            )
        self._seen.add(number)
        if not endpoints.fits(asked.url, self._endpoint):
            raise LineError(
                "invalid_url",
                f"url: {asked.url[:100]!r} is not the batch's endpoint {self._endpoint!r}",
                "url",
            )
        self._look_for_model(asked)

    def _look_for_model(self, asked: LineRequest) -> None:
        model = endpoints.infer_model(asked.url)
        if model is None:
            named = asked.body.get("model")
            if not isinstance(named, str):
                raise LineError(
                    "missing_required_parameter", "body.model: expected a name", "body.model"
                )
            model = (named, None)
        if model in self._known:
            return
        try:
            if asked.url in endpoints.ROUTES:
                self._catalog.find(model[0])
            else:
                self._catalog.get(*model)
        except WherryError as error:
            raise LineError("model_not_found", error.message, "model") from None
        self._known.add(model)
