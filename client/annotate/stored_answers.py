"""Answers as a ledger keeps them: all that a job answered in one block, read row by row.

A block is the response itself, as bytes: JSON's length, JSON with the texts, the other tensors raw.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence

from ...protocol import codec, v2
from ...protocol.errors import WherryError
from ...protocol.parameters import ROW_WARNINGS
from ...tasks.base import Task, TaskOutput
from ...tasks.plain_items import PlainItems, form_of
from ...tasks.vision.documents import DocumentsOutput
from .ledger import KeptAnswer, Ledger, LedgerRow
from .rows import Annotation

#: Blocks that are held decoded, and their bytes: neighbours are of one block, but for rows that are
#: equal, or were sent a second time.
_HELD, _HELD_BYTES = 64, 8 * 1024 * 1024


def pack_answers(task: Task, response: v2.InferenceResponse, rows: int) -> bytes:
    """A response as bytes. Raises WherryError unless it answers so many rows."""
    for spec in task.outputs:
        if not spec.optional:
            response.output(spec.name)
    found = {tuple(tensor.shape[:1]) for tensor in response.outputs}
    if found != {(rows,)}:
        answered = ", ".join(str(shape[0]) if shape else "none" for shape in sorted(found))
        raise WherryError(f"job {response.id} answered {answered or 'none'} of {rows} rows")
    # Texts take least as JSON; numbers are raw, so that JSON's are no more exact than others.
    raw = [tensor.name for tensor in response.outputs if not codec.holds_text(tensor)]
    body, length = codec.encode_response(response, binary_names=raw)
    return b"%d\n%s" % (length or len(body), body)


def read_answers(task: Task, packed: bytes) -> Sequence[TaskOutput]:
    """The rows' answers that `pack_answers` wrote, each with its own warning."""
    return _rows(task, _response(packed))


def _rows(task: Task, response: v2.InferenceResponse) -> Sequence[TaskOutput]:
    rows = task.output.from_inference_response(response).rows()
    told = _warnings(response)
    return [row.warned(told[str(at)]) if str(at) in told else row for at, row in enumerate(rows)]


def _warnings(response: v2.InferenceResponse) -> dict[str, str]:
    """What is to be told of some rows, by their places in the job."""
    told: dict[str, str] = json.loads(response.parameters.get(ROW_WARNINGS, "{}"))
    return told


def _response(packed: bytes) -> v2.InferenceResponse:
    length, _, body = packed.partition(b"\n")
    return codec.decode_response(body, int(length))


class _Block:
    """What a job answered: as plain values where these tell all, as models once these are asked."""

    def __init__(self, task: Task, packed: bytes) -> None:
        form, response = form_of(task.output), _response(packed)
        self.bytes, self._task = len(packed), task
        self.warnings = _warnings(response)
        self._columns = form.columns(response) if form else None
        #: The response, until models are made of it; then these alone are held.
        self._held: v2.InferenceResponse | Sequence[TaskOutput] = response

    def items(self, place: int) -> PlainItems | None:
        """A row's items; None where only models tell them."""
        columns = self._columns
        return None if columns is None else tuple([column[place] for column in columns])

    def row(self, place: int) -> TaskOutput:
        """A row's answer."""
        if isinstance(self._held, v2.InferenceResponse):
            self._held, self._columns = _rows(self._task, self._held), None
        return self._held[place]


class StoredAnnotation(Annotation):
    """A row whose answer is made into models once somebody asks for these."""

    __slots__ = ("_block", "_items", "_place")
    _block: _Block
    _items: PlainItems | None
    _place: int

    def __init__(self, placed: LedgerRow, block: _Block, place: int) -> None:
        self.index, self.id, self.path = placed.position, placed.id, placed.path
        self.size, self.text, self.frame = placed.size, placed.text, placed.frame
        self._block, self._place = block, place
        self._items = block.items(place)

    @property
    def output(self) -> TaskOutput:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride] # nobody sets it
        """One row, as `Annotation` has it."""
        return self._block.row(self._place)

    @property
    def items(self) -> PlainItems | None:
        """What the answer lists, as plain values."""
        return self._items

    @property
    def warning(self) -> str:
        """What is to be told beside the answer."""
        return self._block.warnings.get(str(self._place), "") if self._block.warnings else ""


class StoredAnswers:
    """Reads a ledger's answers, each block once where its rows are neighbours."""

    def __init__(self, ledger: Ledger, task: Task) -> None:
        self._ledger, self._task = ledger, task
        self._held: OrderedDict[int, _Block] = OrderedDict()
        self._bytes = 0
        #: The last row's block: most often the next one's too.
        self._last: tuple[int, _Block | None] = (0, None)

    def annotation(self, placed: LedgerRow, kept: KeptAnswer) -> Annotation:
        """A placed row with its answer."""
        is_page = placed.frame and placed.frame.page
        if not kept.alone and not is_page:
            return StoredAnnotation(placed, self._block(kept.block), kept.place)
        output = self.read(kept)
        # A page that is a row was sent alone, so that its answer calls it the first.
        if placed.frame and placed.frame.page and isinstance(output, DocumentsOutput):
            output = output.on_page(placed.frame.page)
        return Annotation(
            index=placed.position,
            id=placed.id,
            path=placed.path,
            output=output,
            size=placed.size,
            frame=placed.frame,
            text=placed.text,
        )

    def read(self, kept: KeptAnswer) -> TaskOutput:
        """One row's answer."""
        if kept.alone:
            return self._task.output.of(_response(kept.alone))
        return self._block(kept.block).row(kept.place)

    def _block(self, number: int) -> _Block:
        last, block = self._last
        if block is None or number != last:
            if number not in self._held:
                self._hold(number)
            self._held.move_to_end(number)
            block = self._held[number]
            self._last = number, block
        return block

    def _hold(self, number: int) -> None:
        block = _Block(self._task, self._ledger.block(number))
        self._bytes += block.bytes
        while self._held and (self._bytes > _HELD_BYTES or len(self._held) >= _HELD):
            _, dropped = self._held.popitem(last=False)
            self._bytes -= dropped.bytes
        self._held[number] = block
