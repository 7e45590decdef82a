from __future__ import annotations

from typing import Any

from .....protocol.errors import RowError
from ....text.translation import TranslationInput
from .text2text_generation import Text2TextGeneration


class Translation(Text2TextGeneration):
    """Translations of an AutoModelForSeq2SeqLM, of the three kinds there are.

    Tokens for languages, one before the source, one that starts the translation (NLLB, mBART,
    M2M100); a text that names the pair (T5), or the target (Marian's `>>fra<<`); one pair only.
    """

    chat_models = False  # languages are named in many ways, of which words are only one

    def encode(self, row: Any) -> list[int]:
        """The text's tokens, in the language it is in."""
        if self._has_language_tokens and row.src_lang:
            self._language(row.src_lang)
            self.tokenizer.src_lang = row.src_lang
        elif self._has_language_tokens:
            self.tokenizer.src_lang = self._src_lang
        return super().encode(row)

    def load_processor(self) -> None:
        """Load the tokenizer, and see how it tells languages."""
        super().load_processor()
        self._src_lang = getattr(self.tokenizer, "src_lang", None)
        self._has_language_tokens = self._src_lang is not None

    def start(self, row: TranslationInput) -> tuple[int, ...]:
        """The model's own start and the target language, so that rows may differ in it."""
        if not self._has_language_tokens or not row.tgt_lang:
            return ()
        own = self.model.generation_config.decoder_start_token_id
        return (int(own), self._language(row.tgt_lang))

    def prefix(self, row: TranslationInput) -> str:
        """What names the languages within the text, where no tokens do."""
        if self._has_language_tokens or not (row.src_lang or row.tgt_lang):
            return ""
        known = self.settings(f"translation_{row.src_lang}_to_{row.tgt_lang}")
        if "prefix" in known:
            return str(known["prefix"])
        target = f">>{row.tgt_lang}<<"
        if target in self.tokenizer.get_vocab():
            return f"{target} "
        own = (
            getattr(self.tokenizer, "source_lang", None),
            getattr(self.tokenizer, "target_lang", None),
        )
        if (row.src_lang or own[0], row.tgt_lang or own[1]) != own:
            raise RowError(f"this model does not translate {row.src_lang} to {row.tgt_lang}")
        return ""

    def _language(self, name: str) -> int:
        """The token of a language. Raises RowError for one that the model does not know."""
        tokenizer = self.tokenizer
        try:
            if hasattr(tokenizer, "get_lang_id"):  # M2M100 writes __en__
                return int(tokenizer.get_lang_id(name))
        except KeyError:
            raise RowError(f"this model knows no language {name!r}") from None
        token = tokenizer.convert_tokens_to_ids(name)
        if token is None or token == tokenizer.unk_token_id or name not in _special(tokenizer):
            raise RowError(f"this model knows no language {name!r}")
        return int(token)


def _special(tokenizer: object) -> frozenset[str]:
    return frozenset(getattr(tokenizer, "all_special_tokens", ()))
