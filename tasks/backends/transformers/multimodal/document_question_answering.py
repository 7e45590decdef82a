from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....media.decode import decode
from ...base import ModelRefused
from ...company import TEXTS, Probe, Values, turned
from ...image.picture import picture
from ...rows import Decoded
from ...text.document_spans import Span, best_answers
from ...text.lengths import sharing
from ..tokenizer import load_tokenizer
from ..vision.images import ImagesBackend
from ..whole import POOLER

_Words = list[tuple[str, Sequence[float]]]
_Window = dict[str, torch.Tensor]
_Logits = Sequence[NDArray[np.float32]]


#: Other models that are asked about pages -> why they are not here.
_REFUSED = {
    "layoutlmv2": "looks at pages with detectron2, which is not served; take a layoutlmv3",
    "vision-encoder-decoder": (
        "writes its answer and points at no word; serve it as image-text-to-text and ask "
        "<s_docvqa><s_question>...</s_question><s_answer>"
    ),
}


class _Page(NamedTuple):
    """A page's words, and the windows of them that the model sees: a dict of tensors (T,) each."""

    words: list[str]
    spans: list[Span]
    windows: list[_Window]


class DocumentAnswering(ImagesBackend):
    """Answers of a LayoutLM, which knows a page by its words and where they stand.

    A LayoutLM sees no pixels: an image is decoded only where its words are not given, and then read
    with the package rapidocr. A LayoutLMv3 looks at it, too. `max_pixels` bounds an image.
    """

    auto_class = "AutoModelForDocumentQuestionAnswering"
    unread = (POOLER,)
    tokenizer: Any

    def __init__(self, task: Task, source: str | None, **parameters: Any) -> None:
        super().__init__(task, source, **parameters)
        self._reader: Any = None
        self._eye: Any = None
        self._opening = threading.Lock()
        self._cutting = threading.Lock()  # how to cut is the tokenizer's own state

    def load_model(self) -> tuple[Any, list[str]]:
        """Load the weights. Raises ModelRefused for a model that does not point at words."""
        kind = self.read_config().model_type
        if kind not in ("layoutlm", "layoutlmv3"):
            why = _REFUSED.get(kind, "does not answer questions about pages")
            raise ModelRefused(f"{self.source}: a model of type {kind} {why}")
        return super().load_model()

    def load_processor(self) -> None:
        """Load the tokenizer, and the image processor of LayoutLMv3. Raises ModelRefused."""
        config = self.model.config
        self.tokenizer = load_tokenizer(str(self.source), revision=self._revision, config=config)
        if config.model_type == "layoutlmv3":
            from transformers import AutoImageProcessor

            self._eye = AutoImageProcessor.from_pretrained(
                self.source, revision=self._revision, trust_remote_code=False
            )
        positions = config.max_position_embeddings
        if self._eye is not None:  # its places begin behind the padding's
            positions -= config.pad_token_id + 1
        self._most_tokens = min(self.tokenizer.model_max_length, positions)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for the windows of all readable rows."""
        decoded = Decoded(batch, self._page)
        windows = [window for page in decoded.rows for window in page.windows]
        starts, ends = self._forward(windows) if windows else ([], [])
        outputs, at = [], 0
        for row, page in zip(decoded.inputs, decoded.rows, strict=True):
            here = slice(at, at + len(page.windows))
            at = here.stop
            inputs: Any = row
            found = best_answers(
                page.words,
                page.spans,
                starts[here],
                ends[here],
                top_k=inputs.top_k,
                max_answer_len=inputs.max_answer_len,
            )
            outputs.append(self.task.output.model_validate({"results": [found]}))
        return decoded.answers(outputs)

    def _forward(self, windows: Sequence[_Window]) -> tuple[_Logits, _Logits]:
        """Start and end logits of each window, (T,) each, padding at the end."""
        lengths = [len(window["input_ids"]) for window in windows]
        found: dict[int, Values] = {}
        for group in sharing(lengths, self.company.batching):
            found.update(zip(group, self._probe_outputs([windows[i] for i in group]), strict=True))
        starts, ends = zip(*(found[i] for i in range(len(windows))), strict=True)
        return starts, ends

    def _probe_outputs(self, windows: Sequence[_Window]) -> list[Values]:
        """Start and end logits of windows that are padded together."""
        joined = {name: self._joined([w[name] for w in windows], name) for name in windows[0]}
        with self.forward():
            out = self.model(**self.to_device(joined))
            both = [v.float().cpu().numpy() for v in (out.start_logits, out.end_logits)]
        lengths = [len(window["input_ids"]) for window in windows]
        return [[v[row, :length] for v in both] for row, length in enumerate(lengths)]

    def _joined(self, tensors: list[torch.Tensor], name: str) -> torch.Tensor:
        # LayoutLMv3 counts places from what is no padding, by its token.
        pad = self.tokenizer.pad_token_id if name == "input_ids" else 0
        return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=pad)

    def probe(self) -> Probe[_Window]:
        """Pages of three lengths, their words in a row."""
        pages = [text.split() for text in TEXTS]
        image = decode(self.example().images[0], self._max_pixels)  # type: ignore[attr-defined] # its own Input
        rows = [self._probed(words, image) for words in pages]
        first = rows[0].windows[0]
        twin = {**first, "input_ids": torch.tensor(turned(first["input_ids"].tolist()))}
        return Probe([page.windows[0] for page in rows], twin, self._probe_outputs, self.tolerance)

    def _probed(self, words: list[str], image: Image.Image) -> _Page:
        boxes = [[10 * i, 10, 10 * i + 8, 20] for i in range(len(words))]
        if self._eye is None:
            return self._windows(["who"], words, boxes)
        return self._seen("who", words, boxes, image)

    def _page(self, row: TaskInput) -> _Page:
        inputs: Any = row
        question: list[str] = inputs.questions[0].split()
        if not question:
            raise RowError("the question is empty")
        given = inputs.word_boxes[0] if inputs.word_boxes else None
        image = functools.cache(lambda: picture(row, self._max_pixels))  # a page is drawn once
        known = self._read(image()) if given is None else given
        for number, (word, box) in enumerate(known):
            if box[0] > box[2] or box[1] > box[3]:
                raise RowError(f"word {number}, {word!r}: its box ends before it begins")
        words = [word for word, _ in known]
        if not any(word.strip() for word in words):
            return _Page(words, [], [])
        boxes = [[round(edge) for edge in box] for _, box in known]
        if self._eye is None:
            return self._windows(question, words, boxes)
        return self._seen(inputs.questions[0], words, boxes, image())

    def _seen(
        self, question: str, words: list[str], boxes: list[list[int]], image: Image.Image
    ) -> _Page:
        """The page in overlapping windows, its picture beside each."""
        stride = self._stride()
        with self._cutting:
            asked = self.tokenizer.backend_tokenizer.encode(question, add_special_tokens=False)
            self._check_question(len(asked.ids), stride)
            encoded = self.tokenizer(
                [question],
                [words],
                boxes=[boxes],
                truncation="only_second",
                max_length=self._most_tokens,
                stride=stride,
                return_overflowing_tokens=True,
            )
        # The words are known: its own reader of pages is tesseract.
        made = self._eye(images=[image], apply_ocr=False, return_tensors="pt")
        spans = [self._span(encoded, number) for number in range(len(encoded.input_ids))]
        windows = [
            {
                "input_ids": torch.tensor(encoded.input_ids[number]),
                "attention_mask": torch.tensor(encoded.attention_mask[number]),
                "bbox": torch.tensor(encoded.bbox[number]),
                "pixel_values": made["pixel_values"][0],
            }
            for number in range(len(spans))
        ]
        return _Page(words, spans, windows)

    def _stride(self) -> int:
        return int(min(self._most_tokens // 2, 256))

    def _check_question(self, tokens: int, stride: int) -> None:
        most = self._most_tokens - stride - self.tokenizer.num_special_tokens_to_add(pair=True) - 1
        if tokens > most:
            raise RowError(f"the question has {tokens} tokens; {most} are allowed")

    def _windows(self, question: list[str], words: list[str], boxes: list[list[int]]) -> _Page:
        """The page in overlapping windows, the question before each."""
        stride = self._stride()
        with self._cutting:
            asked = self.tokenizer(question, is_split_into_words=True, add_special_tokens=False)
        self._check_question(len(asked.input_ids), stride)
        with self._cutting:
            encoded = self.tokenizer(
                question,
                words,
                is_split_into_words=True,
                truncation="only_second",
                max_length=self._most_tokens,
                stride=stride,
                return_overflowing_tokens=True,
                return_token_type_ids=True,
            )
        spans = [self._span(encoded, number) for number in range(len(encoded.input_ids))]
        windows = [
            {
                "input_ids": torch.tensor(encoded.input_ids[number]),
                "attention_mask": torch.tensor(encoded.attention_mask[number]),
                "token_type_ids": torch.tensor(encoded.token_type_ids[number]),
                "bbox": torch.tensor(
                    [
                        self._off_the_page(token) if word is None else boxes[word]
                        for token, word in zip(encoded.input_ids[number], span.words, strict=True)
                    ]
                ),
            }
            for number, span in enumerate(spans)
        ]
        return _Page(words, spans, windows)

    def _span(self, encoded: Any, number: int) -> Span:
        """Whose tokens a window holds."""
        sides, of_word = encoded.sequence_ids(number), encoded.word_ids(number)
        words = [word if side == 1 else None for side, word in zip(sides, of_word, strict=True)]
        ids = encoded.input_ids[number]
        return Span(words, [i for i, t in enumerate(ids) if t == self.tokenizer.cls_token_id])

    def _off_the_page(self, token: int) -> list[int]:
        """Where LayoutLM was taught that the question's and the special tokens stand."""
        return [1000] * 4 if token == self.tokenizer.sep_token_id else [0] * 4

    def _read(self, image: Image.Image) -> _Words:
        with self._opening:
            if self._reader is None:
                self._reader = _page_reader(self._threads)
        with self.device.compute():
            lines = self._reader.read(image)
        from ...image.page_reader import words_of

        return list(words_of(lines, image.size))


def _page_reader(threads: int) -> Any:
    try:
        from ...image.page_reader import PageReader
    except ModuleNotFoundError:
        raise RowError(
            "word_boxes is missing, and nothing here reads images: send word_boxes, "
            "or run the worker with the package rapidocr (pip install 'wherry[ocr]')"
        ) from None
    return PageReader(threads=threads)
