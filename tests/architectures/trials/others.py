"""Tasks that few types of models do, each with a call of its own."""

from __future__ import annotations

import io
import json
from typing import Any, ClassVar

import numpy as np
import soundfile
import torch
import transformers

from .base import Row, Trial
from .pictures import FILES, Seen, picture, png
from .text import TEXTS, Loaded, Piped

_WORDS = [("the", (100, 100, 200, 150)), ("red", (220, 100, 320, 150)), ("car", (20, 300, 90, 350))]


class TextToSpeech(Loaded):
    rows = tuple({"texts": [text]} for text in TEXTS)
    fixed: ClassVar = {"seed": 0}

    def call(self, row: Row) -> Any:
        torch.manual_seed(0)
        out, _ = self.forward(row["texts"][0])
        buffer = io.BytesIO()
        rate = self.model.config.sampling_rate
        soundfile.write(buffer, out.waveform[0].numpy(), rate, format="WAV", subtype="FLOAT")
        return buffer.getvalue()

    def view(self, answer: Any) -> Any:
        return answer["audio"][0]


class TextToAudio(Loaded):
    rows = tuple({"texts": [text]} for text in TEXTS)
    fixed: ClassVar = {"seed": 0, "max_new_tokens": 12}

    def call(self, row: Row) -> Any:
        torch.manual_seed(0)
        inputs = self.tokenizer(row["texts"][0], return_tensors="pt")
        wave = self.model.generate(**inputs, max_new_tokens=12)[0].T.numpy()
        buffer = io.BytesIO()
        rate = self.model.config.sampling_rate
        soundfile.write(buffer, wave, rate, format="WAV", subtype="FLOAT")
        return buffer.getvalue()

    def view(self, answer: Any) -> Any:
        return answer["audio"][0]


class TableQuestionAnswering(Piped):
    pipeline = "table-question-answering"
    rows = (
        {"queries": ["what is the capital"], "tables": [{"city": ["paris", "london"]}]},
        {"queries": ["hello"], "tables": [{"a": ["cat", "dog", "car"], "b": ["1", "2", "3"]}]},
        {"queries": ["how are you"], "tables": [{"name": ["ada"]}]},
    )

    def call(self, row: Row) -> Any:
        found = self.pipe(table=row["tables"][0], query=row["queries"][0])
        return {"answer": found["answer"], "cells": [*found["cells"]]}

    def view(self, answer: Any) -> Any:
        (found,) = answer["answers"][0]
        cells = json.loads(found["cells"])
        return {"answer": found["answer"], "cells": cells}


class DocumentQuestionAnswering(Piped):
    pipeline = "document-question-answering"
    rows = tuple(
        {"images": [FILES[0]], "questions": [question], "word_boxes": [_WORDS[:count]]}
        for question, count in (("what is red", 3), ("name", 1), ("who are you", 2))
    )

    def call(self, row: Row) -> Any:
        words = [[word, list(box)] for word, box in row["word_boxes"][0]]
        asked = row["questions"][0]
        (found,) = self.pipe(image=picture(row), question=asked, word_boxes=words, top_k=1)
        return {name: found[name] for name in ("answer", "score", "start", "end")}

    def view(self, answer: Any) -> Any:
        (found,) = answer["results"][0]
        del found["page"]  # a pipeline has pictures, no documents
        return found


class VisualQuestionAnswering(Seen):
    rows = tuple(
        {"images": [file], "question": question}
        for file, question in zip(FILES, ("who", "what is red", "a cat", "who"), strict=True)
    )
    fixed: ClassVar = {"top_k": 3}

    def open(self) -> None:
        super().open()
        self.processor = transformers.AutoProcessor.from_pretrained(self.folder)

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        inputs = self.processor(picture(row), row["question"], return_tensors="pt")
        scores = self.model(**inputs).logits[0].sigmoid().tolist()
        return {self.model.config.id2label[i]: score for i, score in enumerate(scores)}

    def view(self, answer: Any) -> Any:
        return {one["answer"]: one["score"] for one in answer["results"][0]}


class MaskGeneration(Seen):
    rows = tuple(
        {"images": [file], "points": [[[list(point)]]], "labels": [[[1]]]}
        for file, point in zip(FILES, ((20, 30), (10, 10), (50, 20), (150, 100)), strict=True)
    )

    def open(self) -> None:
        super().open()
        self.processor = transformers.AutoProcessor.from_pretrained(self.folder)

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        inputs = self.processor(picture(row), input_points=[row["points"][0]], return_tensors="pt")
        out = self.model(**inputs)
        sizes = inputs["original_sizes"], inputs["reshaped_input_sizes"]
        (masks,) = self.processor.image_processor.post_process_masks(out.pred_masks, *sizes)
        pairs = zip(masks[0].numpy(), out.iou_scores[0, 0].tolist(), strict=True)
        return _surest(
            [{"mask": png(mask * np.uint8(255)), "score": score} for mask, score in pairs]
        )

    def view(self, answer: Any) -> Any:
        return _surest(
            [{name: one[name] for name in ("mask", "score")} for one in answer["masks"][0]]
        )


def _surest(masks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(masks, key=lambda one: -float(one["score"]))


class PoseEstimation(Seen):
    """Within a box, as corners; transformers wants a corner and a size."""

    rows = tuple({"images": [file], "boxes": [[[5, 5, 35, 35]]]} for file in FILES)

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        boxes = [[[5.0, 5.0, 30.0, 30.0]]]
        inputs = self.processor(picture(row), boxes=boxes, return_tensors="pt")
        out = self.model(**inputs)
        ((found,),) = self.processor.post_process_pose_estimation(out, boxes=boxes)
        places = zip(found["keypoints"].tolist(), found["scores"].tolist(), strict=True)
        return [[x, y, score] for (x, y), score in places]

    def view(self, answer: Any) -> Any:
        return [[one["x"], one["y"], one["score"]] for one in answer["keypoints"][0]]


class ImageToText(Seen):
    fixed: ClassVar = {"max_new_tokens": 8}

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(self.folder)
        inputs = self.processor(picture(row), return_tensors="pt")
        made = self.model.generate(**inputs, max_new_tokens=8, do_sample=False)[0]
        return str(tokenizer.decode(made, skip_special_tokens=True)).strip()

    def view(self, answer: Any) -> Any:
        return answer["texts"][0]


class LineReading(Seen):
    """A line as the processor's page has it, its score as `compute_transition_scores` has it."""

    fixed: ClassVar = {"threshold": 0.0}

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(self.folder)
        made = self.model.generate(
            **self.processor(picture(row), return_tensors="pt"),
            max_new_tokens=min(128, self.model.config.decoder.max_position_embeddings - 1),
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
        )
        chances = self.model.compute_transition_scores(
            made.sequences, made.scores, normalize_logits=True
        )
        text = tokenizer.decode(made.sequences[0], skip_special_tokens=True).strip()
        return {"text": text, "score": float(chances[0].mean().exp())}

    def view(self, answer: Any) -> Any:
        (line,) = answer["lines"][0]
        return {"text": line["text"], "score": line["score"]}


class TimeSeriesForecasting(Trial):
    rows = tuple(
        {"past_values": [[float(step % period - below) for step in range(length)]]}
        for period, below, length in ((7, 0, 30), (5, 3, 12), (3, 0, 1), (4, 1, 30))
    )

    def open(self) -> None:
        auto: Any = getattr(transformers, self.auto_class)
        self.model: Any = auto.from_pretrained(self.folder).eval()

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        out = self.model(past_values=[torch.tensor(row["past_values"][0])])
        return {
            "mean": out.mean_predictions[0].tolist(),
            "quantiles": out.full_predictions[0, :, 1:].tolist(),
        }

    def view(self, answer: Any) -> Any:
        return {"mean": answer["means"][0], "quantiles": answer["quantiles"][0]}


TRIALS: dict[str, type[Trial]] = {
    "document-question-answering": DocumentQuestionAnswering,
    "image-to-text": ImageToText,
    "mask-generation": MaskGeneration,
    "optical-character-recognition": LineReading,
    "table-question-answering": TableQuestionAnswering,
    "text-to-audio": TextToAudio,
    "text-to-speech": TextToSpeech,
    "time-series-forecasting": TimeSeriesForecasting,
    "visual-question-answering": VisualQuestionAnswering,
}
