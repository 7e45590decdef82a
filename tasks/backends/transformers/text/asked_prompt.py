"""The prompt of a model that is asked whether a text fits, by its layout or its chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from ...base import ModelRefused
from ...text.reranker import AskedModel
from ...text_encoders.asked_ranking import PairPrompt

#: What chat templates that want contents in parts have in them, as sentence-transformers tells.
_PARTS = ("content[0]", ".type", "'type'", '"type"', "message.content[")


def asked_prompt(tokenizer: Any, asked: AskedModel, source: str) -> PairPrompt:
    """How it is asked. Raises ModelRefused where a chat template does not carry what is asked."""
    layout = asked.layout
    if layout is not None:
        bos: int | None = tokenizer.bos_token_id
        begins = layout.begins and bos != tokenizer.pad_token_id
        first = (bos,) if begins and bos is not None else ()
        return PairPrompt(layout.texts, layout.takes_instruction, asked.instruction, first)
    template = _ChatTemplate(tokenizer, asked)
    try:
        base, *others = (
            template.texts(*told) for told in (("", "a", "b"), ("", "c", "b"), ("", "a", "c"))
        )
    except (TemplateError, ValueError, TypeError) as error:
        raise ModelRefused(
            f"{source}: its chat template asks no query of a document ({error}): declare the "
            "parameter template"
        ) from error
    if base in others:
        raise ModelRefused(
            f"{source}: its chat template knows no roles query and document: declare the "
            "parameter template"
        )
    return PairPrompt(template.texts, template.takes_instruction(base), asked.instruction)


def token_ids(tokenizer: Any, tokens: Sequence[str | int], source: str) -> tuple[int, ...]:
    """The numbers of the tokens to answer with. Raises ModelRefused for what is not one token."""
    return tuple(_token_id(tokenizer, token, source) for token in tokens)


def _token_id(tokenizer: Any, token: str | int, source: str) -> int:
    if isinstance(token, int):
        return token
    alone: list[int] = tokenizer(token, add_special_tokens=False)["input_ids"]
    if len(alone) == 1 and alone[0] != tokenizer.unk_token_id:
        return alone[0]
    own: int | None = tokenizer.get_vocab().get(token)
    if own is None:
        raise ModelRefused(
            f"{source}: {token!r}, which is to say whether a text fits, is not one token of this "
            "model's: name others as classifier_from_token"
        )
    return own


class _ChatTemplate:
    """A chat template that lays out messages with the roles query and document, and a system's."""

    def __init__(self, tokenizer: Any, asked: AskedModel) -> None:
        self._tokenizer, self._arguments = tokenizer, dict(asked.arguments)
        told = str(tokenizer.chat_template or "")
        guess = any(part in told for part in _PARTS)
        self._structured = guess if asked.structured is None else asked.structured

    def texts(self, instruction: str, query: str, document: str) -> list[str]:
        """The prompt, as one text."""
        told = [("system", instruction)] if instruction else []
        messages = [
            {"role": role, "content": self._content(text)}
            for role, text in (*told, ("query", query), ("document", document))
        ]
        return [self._tokenizer.apply_chat_template(messages, tokenize=False, **self._arguments)]

    def takes_instruction(self, base: list[str]) -> bool:
        """Whether a system's message changes the prompt."""
        try:
            return self.texts("an instruction", "a", "b") != base
        except (TemplateError, ValueError, TypeError):
            return False

    def _content(self, text: str) -> Any:
        return [{"type": "text", "text": text}] if self._structured else text
