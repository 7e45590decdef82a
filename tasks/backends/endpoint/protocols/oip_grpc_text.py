"""A text of OIP v2 over gRPC, piece by piece: the responses to one request of a stream."""

from __future__ import annotations

from collections.abc import Mapping

from .....protocol import v2
from .....protocol.errors import InvalidRequest
from ....base import Task
from ....tensors import column
from ....text.generation import TEXT, GenerationOutput
from ....text.tokens import Token
from ..faults import BrokenError
from .base import UNNUMBERED, Hear

#: What a server leaves out that tells nothing but texts.
_UNTOLD = {"finish_reason": "stop", "prompt_tokens": 0, "completion_tokens": 0}


class StreamedText:
    """The text of one row, of which each response has what came since the one before."""

    def __init__(self, task: Task, names: Mapping[str, str], hear: Hear) -> None:
        assert issubclass(task.output, GenerationOutput)
        self._task, self._hear = task, hear
        self._theirs = names.get(TEXT.name, TEXT.name)
        self._text = ""
        self._last: v2.InferenceResponse | None = None

    @property
    def begun(self) -> bool:
        """Whether any of it was told."""
        return bool(self._text)

    def add(self, response: v2.InferenceResponse) -> None:
        """Tell what a response brings. Raises BrokenError for one without the text."""
        if not response.outputs:  # Triton's empty last one
            return
        self._last = response
        try:
            [piece] = response.output(self._theirs).texts()
        except (InvalidRequest, ValueError) as error:
            raise BrokenError(f"the endpoint's answer has no text: {error}") from None
        if piece:
            self._text += piece
            self._hear(Token(UNNUMBERED, piece, None))

    def whole(self) -> v2.InferenceResponse:
        """The last response, with all of the text and something for what it leaves out."""
        if self._last is None:
            raise BrokenError("the endpoint's stream ended without an answer")
        others = [each for each in self._last.outputs if each.name != self._theirs]
        told = {tensor.name for tensor in others}
        untold = [
            column(spec, [_UNTOLD[spec.name]])
            for spec in self._task.outputs
            if spec.name in _UNTOLD and spec.name not in told
        ]
        outputs = [column(TEXT, [self._text]), *others, *untold]
        return self._last.model_copy(update={"outputs": outputs})
