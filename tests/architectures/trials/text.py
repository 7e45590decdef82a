"""Tasks of models that read text."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import transformers

from .base import Row, Trial

TEXTS = (
    "the quick brown fox jumps over the lazy dog",
    "hello you there",
    "my name is ada and i live in london, what is the capital of france",
    "a photo of a cat",
    "the red car is quick",
)
_CONTEXTS = ("the quick brown fox jumps over the lazy dog", *TEXTS[2:], "a cat and a dog " * 5)


class Piped(Trial):
    """A task that transformers has a pipeline for."""

    pipeline: str
    rows = tuple({"texts": [text]} for text in TEXTS)

    def open(self) -> None:
        made: Any = transformers.pipeline
        self.pipe: Any = made(
            self.pipeline, model=self.folder, device="cpu", **self.declared_pipe()
        )

    def declared_pipe(self) -> dict[str, Any]:
        return {}


class TextClassification(Piped):
    pipeline = "text-classification"

    def call(self, row: Row) -> Any:
        return {one["label"]: one["score"] for one in self.pipe(row["texts"][0], top_k=None)}

    def view(self, answer: Any) -> Any:
        return {one["label"]: one["score"] for one in answer["results"][0]}


class ZeroShotClassification(Piped):
    pipeline = "zero-shot-classification"
    _labels = (["car", "a lazy dog"], ["ada", "london", "fox"])
    rows = tuple(
        {"texts": [text], "candidate_labels": labels}
        for text, labels in zip(TEXTS, _labels * 3, strict=False)
    )

    def call(self, row: Row) -> Any:
        found = self.pipe(row["texts"][0], candidate_labels=row["candidate_labels"])
        return dict(zip(found["labels"], found["scores"], strict=True))

    def view(self, answer: Any) -> Any:
        return {one["label"]: one["score"] for one in answer["results"][0]}


class TokenClassification(Piped):
    pipeline = "token-classification"
    fixed: ClassVar = {"aggregation_strategy": "none", "ignore_labels": []}

    def call(self, row: Row) -> Any:
        return [_entity(one) for one in self.pipe(row["texts"][0], **self.fixed)]

    def view(self, answer: Any) -> Any:
        return [_entity(one) for one in answer["entities"][0]]


def _entity(one: dict[str, Any]) -> dict[str, Any]:
    names = ("entity", "word", "start", "end", "index")
    return {**{name: one[name] for name in names}, "score": float(one["score"])}


class FillMask(Piped):
    pipeline = "fill-mask"
    rows = tuple(
        {"texts": [text]}
        for text in (
            "the quick [MASK] fox",
            "[MASK]",
            "my [MASK] is ada and i live in london what are you",
            "the red [MASK] is",
        )
    )

    def call(self, row: Row) -> Any:
        return {one["token_str"]: one["score"] for one in self.pipe(row["texts"][0], top_k=5)}

    def view(self, answer: Any) -> Any:
        return {one["token_str"]: one["score"] for one in answer["fillings"][0]}


class Loaded(Trial):
    """A task that transformers has a class for, and an example in the model's documentation."""

    def open(self) -> None:
        auto: Any = getattr(transformers, self.auto_class)
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(self.folder)
        self.model: Any = auto.from_pretrained(self.folder).eval()

    @torch.inference_mode()
    def forward(self, *texts: Any, **how: Any) -> tuple[Any, Any]:
        """What the tokenizer and the model make of texts."""
        inputs = self.tokenizer(*texts, return_tensors="pt", **how)
        offsets = inputs.pop("offset_mapping", None)
        return self.model(**inputs), (inputs, offsets)


class FeatureExtraction(Loaded):
    """The last hidden states: AutoModel's for the text alone, or its encoder's where AutoModel
    wants a second text too.
    """

    rows = tuple({"texts": [text]} for text in TEXTS)

    def open(self) -> None:
        kind = transformers.AutoConfig.from_pretrained(self.folder).model_type
        if kind in ("t5", "mt5", "umt5"):  # as their page has it: T5EncoderModel
            self.auto_class = "AutoModelForTextEncoding"
        super().open()

    def tokens(self, text: str) -> torch.Tensor:
        """(T, D)."""
        try:
            out, _ = self.forward(text)
        except (TypeError, ValueError):
            if not self.model.config.is_encoder_decoder:
                raise
            self.model = self.model.get_encoder()
            out, _ = self.forward(text)
        hidden: torch.Tensor = out.last_hidden_state[0]
        return hidden

    def call(self, row: Row) -> Any:
        return self.tokens(row["texts"][0]).tolist()

    def view(self, answer: Any) -> Any:
        return answer["features"][0]


class Embedding(FeatureExtraction):
    """The mean of the tokens, of length 1: sentence-transformers' for a model without modules."""

    def _vector(self, text: str) -> torch.Tensor:
        return torch.nn.functional.normalize(self.tokens(text).mean(dim=0), dim=0)

    def call(self, row: Row) -> Any:
        return self._vector(row["texts"][0]).tolist()

    def view(self, answer: Any) -> Any:
        return answer["embeddings"][0]


class SentenceSimilarity(Embedding):
    rows = tuple(
        {"source_sentences": [text], "sentences": [[*TEXTS[:place], "the red car is quick"]]}
        for place, text in enumerate(TEXTS)
    )

    def call(self, row: Row) -> Any:
        own = self._vector(row["source_sentences"][0])
        return [float(own @ self._vector(text)) for text in row["sentences"][0]]

    def view(self, answer: Any) -> Any:
        return answer["scores"][0]


class Ranking(Loaded):
    """A cross-encoder: the query and a text as a pair, one label, its sigmoid."""

    rows = (
        {"queries": ["who is quick"], "texts": [list(TEXTS)]},
        {"queries": ["what is red"], "texts": [["the car", "a dog " * 9]]},
        {"queries": ["hello"], "texts": [["london"]]},
    )

    def call(self, row: Row) -> Any:
        found = [self.forward(row["queries"][0], text)[0] for text in row["texts"][0]]
        return {place: float(out.logits[0, 0].sigmoid()) for place, out in enumerate(found)}

    def view(self, answer: Any) -> Any:
        return {one["index"]: one["score"] for one in answer["rankings"][0]}


class QuestionAnswering(Loaded):
    """The likeliest passage: the start's probability times the end's, 15 tokens at most. As the
    pipeline of transformers 5.2 had it, no answer counts among the probabilities.
    """

    rows = tuple(
        {"questions": [question], "contexts": [context], "align_to_words": False}
        for question, context in zip(
            ("what is my name", "who", "who jumps over the dog", "what is red", "how"),
            _CONTEXTS,
            strict=True,
        )
    )

    def call(self, row: Row) -> Any:
        question, context = row["questions"][0], row["contexts"][0]
        out, (inputs, offsets) = self.forward(question, context, return_offsets_mapping=True)
        own = torch.tensor([of == 1 for of in inputs.sequence_ids(0)])
        none = torch.isin(inputs["input_ids"][0], torch.tensor(self.tokenizer.cls_token_id or -1))
        ends = [logits[0] for logits in (out.start_logits, out.end_logits)]
        start, end = (
            logits.double().masked_fill(~(own | none), -torch.inf).log_softmax(-1)
            for logits in ends
        )
        allowed = torch.triu(own[:, None] & own[None]).tril(14)
        both = (start[:, None] + end[None]).masked_fill(~allowed, -torch.inf)
        first, last = divmod(int(both.argmax()), len(end))
        begin, stop = int(offsets[0, first, 0]), int(offsets[0, last, 1])
        begin += len(context[begin:stop]) - len(context[begin:stop].lstrip())
        score = float(both.max().exp())
        return {"answer": context[begin:stop], "start": begin, "end": stop, "score": score}

    def view(self, answer: Any) -> Any:
        return answer["answers"][0][0]


TRIALS: dict[str, type[Trial]] = {
    "embedding": Embedding,
    "feature-extraction": FeatureExtraction,
    "fill-mask": FillMask,
    "question-answering": QuestionAnswering,
    "ranking": Ranking,
    "sentence-similarity": SentenceSimilarity,
    "text-classification": TextClassification,
    "token-classification": TokenClassification,
    "zero-shot-classification": ZeroShotClassification,
}
