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
from .ledger import KeptAnswer, Ledger

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
    response = _response(packed)
    rows = task.output.from_inference_response(response).rows()
    told: dict[str, str] = json.loads(response.parameters.get(ROW_WARNINGS, "{}"))
    return [row.warned(told[str(at)]) if str(at) in told else row for at, row in enumerate(rows)]


def _response(packed: bytes) -> v2.InferenceResponse:
    length, _, body = packed.partition(b"\n")
    return codec.decode_response(body, int(length))


class StoredAnswers:
    """Reads a ledger's answers, each block once where its rows are neighbours."""

    def __init__(self, ledger: Ledger, task: Task) -> None:
        self._ledger, self._task = ledger, task
        self._held: OrderedDict[int, tuple[int, Sequence[TaskOutput]]] = OrderedDict()
        self._bytes = 0
        #: The last row's block: most often the next one's too.
        self._last: tuple[int, Sequence[TaskOutput]] = (0, ())

    def read(self, kept: KeptAnswer) -> TaskOutput:
        """One row's answer."""
        if kept.alone:
            return self._task.output.of(_response(kept.alone))
        if kept.block != self._last[0]:
            if kept.block not in self._held:
                self._hold(kept.block)
            self._held.move_to_end(kept.block)
            self._last = kept.block, self._held[kept.block][1]
        return self._last[1][kept.place]

    def _hold(self, block: int) -> None:
        body = self._ledger.block(block)
        self._bytes += len(body)
        while self._held and (self._bytes > _HELD_BYTES or len(self._held) >= _HELD):
            _, (size, _) = self._held.popitem(last=False)
            self._bytes -= size
        self._held[block] = len(body), read_answers(self._task, body)
