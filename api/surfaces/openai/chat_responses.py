"""A chat completion as OpenAI's clients read it, whole or in parts."""

from __future__ import annotations

from collections.abc import Sequence

from ....tasks.text.generation import Generation
from ....tasks.text.tokens import Candidate, Token
from ...http.sse import event
from .choices import ChoiceDelta, usage_of
from .requests import FINGERPRINT, new_id, now


class ChatReply:
    """One answer, whole or in parts."""

    def __init__(self, model: str, *, logprobs: bool) -> None:
        self._head = {"id": new_id("chatcmpl"), "created": now(), "model": model}
        self._head["system_fingerprint"] = FINGERPRINT
        self._logprobs = logprobs

    def whole(self, found: Sequence[Generation]) -> dict[str, object]:
        """The answer."""
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [
                {
                    "index": index,
                    "message": {
                        "role": "assistant",
                        "content": generation.text,
                        "refusal": None,
                    },
                    "logprobs": self._chances(generation.tokens or ()),
                    "finish_reason": generation.finish_reason,
                }
                for index, generation in enumerate(found)
            ],
            "usage": usage_of(found, len(found)),
        }

    def begin(self, index: int) -> list[bytes]:
        """A choice's first events."""
        return [self._chunk(index, {"role": "assistant", "content": ""})]

    def part(self, said: ChoiceDelta) -> bytes:
        """What a choice says next."""
        delta = {"content": said.text} if said.text or not said.end else {}
        return self._chunk(
            said.index,
            delta,
            logprobs=self._chances(said.tokens),
            finish_reason=said.end.finish_reason if said.end else None,
        )

    def usage(self, ends: Sequence[Generation]) -> bytes:
        """The last event, where it was asked for."""
        return event(
            {
                **self._head,
                "object": "chat.completion.chunk",
                "choices": [],
                "usage": usage_of(ends, len(ends)),
            }
        )

    def _chunk(
        self,
        index: int,
        delta: dict[str, str],
        *,
        logprobs: object = None,
        finish_reason: str | None = None,
    ) -> bytes:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": finish_reason,
        }
        return event({**self._head, "object": "chat.completion.chunk", "choices": [choice]})

    def _chances(self, tokens: Sequence[Token]) -> dict[str, object] | None:
        if not self._logprobs or not tokens:
            return None
        return {"content": [_chance(token) for token in tokens], "refusal": None}


def _chance(token: Token) -> dict[str, object]:
    return {**_told(token), "top_logprobs": [_told(other) for other in token.top]}


def _told(token: Token | Candidate) -> dict[str, object]:
    return {
        "token": token.text,
        "logprob": token.logprob,
        "bytes": list(token.text.encode()),
    }
