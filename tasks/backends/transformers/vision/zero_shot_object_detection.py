from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....vision.zero_shot_object_detection import ZeroShotObjectDetectionInput
from ...image.detect import detection
from ...rows import alike
from ...sizes import Size
from ...text.cut import with_truncation
from ..multimodal.side_texts import SideTexts
from ..processors import load_processor
from ..tokenizer import load_tokenizer
from .base import Tensors, VisionBackend
from .grounding import GROUNDINGS, Grounding

#: What is read of the outputs of models that read an image and its labels together.
_OUTPUTS = (
    *("logits", "pred_boxes", "input_ids"),
    *("decoder_class_logits", "decoder_coord_logits"),
)


class ZeroShotObjectDetection(VisionBackend):
    """Boxes of an image, and how well each label fits each box.

    Rows with labels of their own share a forward of OWL-ViT and OWLv2. The model gets the union of
    their labels, and a row's objects come from its own columns: a label's fit does not depend on
    the others. Grounding DINO's and OmDet's does: rows share one where their labels have one size.
    """

    auto_class = "AutoModelForZeroShotObjectDetection"
    tokenizer: Any

    def load_processor(self) -> None:
        """Load the image processor and the tokenizer."""
        super().load_processor()
        config = self.model.config
        self._grounding: Grounding | None = None
        if config.model_type in GROUNDINGS:
            whole = load_processor(str(self.source), revision=self._revision, config=config)
            self._grounding = GROUNDINGS[config.model_type](whole, config)
            return
        self.tokenizer = load_tokenizer(str(self.source), revision=self._revision, config=config)
        positions = self.model.config.text_config.max_position_embeddings
        self._texts = SideTexts(self.tokenizer, positions, padding="max_length")

    def answer(
        self, inputs: Sequence[TaskInput], sizes: Sequence[Size], tensors: Tensors
    ) -> list[TaskOutput | RowError]:
        """One forward. pixel_values: (B, 3, H, W), labels: (U, T) -> the rows' own columns."""
        if self._grounding is not None:
            return self._grounded(self._grounding, inputs, sizes, tensors)
        rows = [_labels(row) for row in inputs]
        union = {label: i for i, label in enumerate(dict.fromkeys(s for row in rows for s in row))}
        encoded, lost = self._texts(list(union))
        with self.forward():
            logits, boxes = self._detect(
                self.to_device(tensors)["pixel_values"], self.to_device(encoded)
            )
            logits, boxes = logits.float().cpu(), boxes.float().cpu()
        answers: list[TaskOutput | RowError] = []
        for n, (row, labels, (width, height)) in enumerate(zip(inputs, rows, sizes, strict=True)):
            own = [union[label] for label in labels]
            (found,) = self.processor.post_process_object_detection(
                SimpleNamespace(logits=logits[n : n + 1][..., own], pred_boxes=boxes[n : n + 1]),
                threshold=0.0,
                target_sizes=torch.tensor([(height, width)]),
            )
            found = {name: values.numpy() for name, values in found.items()}
            output = detection(
                self.task,
                row,
                found["scores"],
                found["labels"],
                found["boxes"],
                dict(enumerate(labels)),
            )
            answers.append(with_truncation(row, output, [lost[label] for label in labels]))
        return answers

    def _grounded(
        self,
        grounding: Grounding,
        inputs: Sequence[TaskInput],
        sizes: Sequence[Size],
        tensors: Tensors,
    ) -> list[TaskOutput | RowError]:
        found: dict[int, TaskOutput | RowError] = {}
        rows = [_labels(row) for row in inputs]
        for group in alike(grounding.size(labels) for labels in rows):
            encoded, lost = grounding.ask([rows[i] for i in group])
            own = {name: tensor[group] for name, tensor in tensors.items()}
            with self.forward():
                made = self.model(**self.to_device({**own, **encoded}))
                out = {name: made[name].cpu() for name in _OUTPUTS if made.get(name) is not None}
            for n, i in enumerate(group):
                threshold: float = inputs[i].threshold  # type: ignore[attr-defined] # its own Input
                seen = grounding.read(out, n, rows[i], sizes[i], threshold)
                output = detection(
                    self.task,
                    inputs[i],
                    seen.scores,
                    np.arange(len(seen.labels)),
                    seen.boxes,
                    dict(enumerate(seen.labels)),
                )
                found[i] = with_truncation(inputs[i], output, lost[n])
        return [found[i] for i in range(len(inputs))]

    def _detect(
        self, pixel_values: torch.Tensor, labels: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, P, U) and boxes (B, P, 4). The model's own forward would encode each label
        once an image, where once a batch is enough.
        """
        text = self.model.base_model.get_text_features(**labels).pooler_output  # (U, D)
        places = self.model.image_embedder(pixel_values)[0]  # (B, h, w, D)
        features = places.flatten(1, 2)
        queries = text[None].expand(len(pixel_values), -1, -1)
        # As forward does; the head normalises once more, with 1e-6 added to the length.
        queries = queries / queries.norm(dim=-1, keepdim=True)
        logits, _ = self.model.class_predictor(features, queries)
        return logits, self.model.box_predictor(features, places)


def _labels(row: TaskInput) -> list[str]:
    assert isinstance(row, ZeroShotObjectDetectionInput)
    return row.candidate_labels
