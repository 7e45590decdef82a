from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....multimodal.visual_question_answering import VisualAnswer
from ...base import ModelRefused
from ...classify import sigmoid
from ...rows import Decoded, alike
from ...sizes import Size
from ...text.cut import with_truncation
from ..tokenizer import load_tokenizer
from ..vision.base import Processed, Tensors, VisionBackend
from .image_text_to_text import settle
from .side_texts import SideTexts
from .written_answers import write_answers


class VisualAnswering(VisionBackend):
    """The answers of a ViLT, each with a probability of its own: several may be right.

    A BLIP writes one, as probable as its words are together.
    """

    auto_class = "AutoModelForVisualQuestionAnswering"
    tokenizer: Any

    def load_processor(self) -> None:
        """Load the image processor and the tokenizer. Raises ModelRefused for others."""
        config = self.model.config
        self._writes = config.model_type == "blip"
        if config.model_type not in ("blip", "vilt"):
            raise ModelRefused(
                f"{self.source}: a {config.model_type} does not choose among answers; "
                "serve it as image-text-to-text"
            )
        settle(self.model)
        super().load_processor()
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )
        text = config.text_config if self._writes else config
        self._texts = SideTexts(self.tokenizer, text.max_position_embeddings)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all readable rows: a ViLT takes an image's own patches out of the
        padding, so that rows of other sizes beside it change nothing. BLIP's questions share one
        with those of the same length.
        """
        decoded = Decoded(batch, self._process)
        if self._writes:
            return decoded.answers(self._written(decoded))
        if not decoded.rows:
            return decoded.answers([])
        tensors = _padded([row.tensors for row in decoded.rows])
        sizes = [row.size for row in decoded.rows]
        return decoded.answers(self.answer(decoded.inputs, sizes, tensors))

    def answer(
        self,
        inputs: Sequence[TaskInput],
        sizes: Sequence[Size],  # noqa: ARG002 # sizes matter to detection only
        tensors: Tensors,
    ) -> list[TaskOutput | RowError]:
        """pixel_values (B, 3, H, W), pixel_mask (B, H, W) -> logits (B, answers)."""
        questions = [row.question for row in inputs]  # type: ignore[attr-defined] # its own Input
        encoded, lost = self._texts(questions)
        with self.forward():
            logits = self.model(**self.to_device({**encoded, **tensors})).logits
            scores = sigmoid(logits.float().cpu().numpy())
        return [
            with_truncation(row, self._best(row, s), [lost[question]])
            for row, question, s in zip(inputs, questions, scores, strict=True)
        ]

    def _written(self, decoded: Decoded[Processed]) -> list[TaskOutput | RowError]:
        questions = [row.question for row in decoded.inputs]  # type: ignore[attr-defined] # its own Input
        found: dict[int, TaskOutput | RowError] = {}
        for group in alike(self._texts([question])[0]["input_ids"].shape for question in questions):
            encoded, lost = self._texts([questions[i] for i in group])
            pixels = torch.cat([decoded.rows[i].tensors["pixel_values"] for i in group])
            with self.forward():
                answers = write_answers(
                    self.model,
                    self.tokenizer,
                    self.to_device(encoded),
                    self.to_device({"pixel_values": pixels}),
                )
            for i, (answer, score) in zip(group, answers, strict=True):
                results = [[VisualAnswer(answer=answer, score=score)]]
                output = self.task.output.model_validate({"results": results})
                found[i] = with_truncation(decoded.inputs[i], output, [lost[questions[i]]])
        return [found[i] for i in range(len(questions))]

    def _best(self, row: TaskInput, scores: Any) -> TaskOutput:
        top_k: int = row.top_k  # type: ignore[attr-defined] # its own Input
        names = self.model.config.id2label
        best = np.argsort(-scores, kind="stable")[:top_k]
        found = [VisualAnswer(answer=names[int(i)], score=float(scores[i])) for i in best]
        return self.task.output.model_validate({"results": [found]})


def _padded(rows: Sequence[Tensors]) -> Tensors:
    """Rows (1, ..., H, W) of each name as one tensor, zeros below and to the right."""
    height = max(row["pixel_mask"].shape[-2] for row in rows)
    width = max(row["pixel_mask"].shape[-1] for row in rows)

    def whole(tensor: torch.Tensor) -> torch.Tensor:
        missing = (0, width - tensor.shape[-1], 0, height - tensor.shape[-2])
        return torch.nn.functional.pad(tensor, missing)

    return {name: torch.cat([whole(row[name]) for row in rows]) for name in rows[0]}
