"""Tasks of models that look at pictures."""

from __future__ import annotations

import io
import math
from typing import Any, ClassVar

import numpy as np
import torch
import transformers
from PIL import Image

from ...support.matching import match_by_hand
from ...support.tiny import images
from .base import Row, Trial
from .text import TEXTS, Piped

FILES = images()


def picture(row: Row) -> Image.Image:
    """A row's picture."""
    return Image.open(io.BytesIO(row["images"][0])).convert("RGB")


def png(pixels: Any) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    made = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    made.save(buffer, "PNG")
    return buffer.getvalue()


class ImageClassification(Piped):
    pipeline = "image-classification"
    rows = tuple({"images": [file]} for file in FILES)

    def call(self, row: Row) -> Any:
        return {one["label"]: one["score"] for one in self.pipe(picture(row), top_k=5)}

    def view(self, answer: Any) -> Any:
        return {one["label"]: one["score"] for one in answer["results"][0]}


class DepthEstimation(Piped):
    pipeline = "depth-estimation"
    rows = tuple({"images": [file]} for file in FILES)

    def call(self, row: Row) -> Any:
        depth = self.pipe(picture(row))["predicted_depth"].float()
        return {"shape": tuple(depth.shape), "values": depth.numpy().astype("<f4").tobytes()}

    def view(self, answer: Any) -> Any:
        depth = answer["predicted_depth"][0]
        return {"shape": (depth["height"], depth["width"]), "values": depth["values"]}


class ImageSegmentation(Piped):
    pipeline = "image-segmentation"
    rows = tuple({"images": [file]} for file in FILES)
    fixed: ClassVar = {"threshold": 0.0, "mask_threshold": 0.0, "overlap_mask_area_threshold": 0.0}

    def call(self, row: Row) -> Any:
        found = self.pipe(picture(row), **self.fixed)
        return [
            {"label": one["label"], "score": one["score"] or 1.0, "mask": png(one["mask"])}
            for one in found
        ]

    def view(self, answer: Any) -> Any:
        return answer["segments"][0]


class Seen(Trial):
    """A task that transformers has a class and an image processor for."""

    rows = tuple({"images": [file]} for file in FILES)

    def open(self) -> None:
        auto: Any = getattr(transformers, self.auto_class)
        self.processor: Any = transformers.AutoImageProcessor.from_pretrained(self.folder)
        self.model: Any = auto.from_pretrained(self.folder).eval()

    @torch.inference_mode()
    def seen(self, row: Row) -> Any:
        """The model's output for a row's picture."""
        return self.model(**self.processor(images=picture(row), return_tensors="pt"))

    def size(self, row: Row) -> tuple[int, int]:
        """Height and width."""
        return picture(row).size[::-1]


class ObjectDetection(Seen):
    fixed: ClassVar = {"threshold": 0.0}

    def call(self, row: Row) -> Any:
        (found,) = self.processor.post_process_object_detection(
            self.seen(row), threshold=0.0, target_sizes=[self.size(row)]
        )
        return boxes(found, [self.model.config.id2label[i] for i in found["labels"].tolist()])

    def view(self, answer: Any) -> Any:
        return _sorted(answer["detections"][0])


class ImageAnonymization(Seen):
    """What detection finds, black: whole pixels, and each that a box touches."""

    fixed: ClassVar = {"threshold": 0.5, "strategy": "black_box"}

    def call(self, row: Row) -> Any:
        (found,) = self.processor.post_process_object_detection(
            self.seen(row), threshold=0.5, target_sizes=[self.size(row)]
        )
        image, count = picture(row), 0
        for left, top, right, bottom in found["boxes"].tolist():
            corner = (max(0, math.floor(left)), max(0, math.floor(top)))
            end = (min(image.width, math.ceil(right)), min(image.height, math.ceil(bottom)))
            if corner[0] < end[0] and corner[1] < end[1]:
                image.paste((0, 0, 0), (*corner, *end))
                count += 1
        return {"regions": count, "image": png(image)}

    def view(self, answer: Any) -> Any:
        regions, image = answer["num_regions_anonymized"][0], answer["anonymized_images"][0]
        return {"regions": regions, "image": image}


def boxes(found: Any, labels: list[str]) -> list[dict[str, Any]]:
    """Post-processed boxes as Wherry writes them."""
    names = ("xmin", "ymin", "xmax", "ymax")
    ends = (dict(zip(names, box, strict=True)) for box in found["boxes"].tolist())
    rows = zip(labels, found["scores"].tolist(), ends, strict=True)
    return _sorted([{"label": label, "score": score, "box": box} for label, score, box in rows])


def _sorted(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The surest first; those as sure in an order of their own."""
    return sorted(found, key=lambda one: (-round(one["score"], 3), round(one["box"]["xmin"], 1)))


class ImageFeatureExtraction(Seen):
    """The first token or the mean of all: which of them stands for a picture no call says."""

    @torch.inference_mode()
    def seen(self, row: Row) -> Any:
        inputs = self.processor(images=picture(row), return_tensors="pt")
        return getattr(self.model, "get_image_features", self.model)(**inputs)

    def open(self) -> None:
        super().open()
        if self.model.config.model_type == "vit_mae":  # as its page has it, for all of a picture
            self.model.config.mask_ratio = 0.0

    def call(self, row: Row) -> Any:
        hidden = self.seen(row).last_hidden_state[0]
        if hidden.ndim == 3:
            return [hidden.mean((1, 2)).tolist()]
        return [hidden[0].tolist(), hidden.mean(0).tolist()]

    def apart(self, own: Any, expected: Any) -> str:
        found = [super(ImageFeatureExtraction, self).apart(own, one) for one in expected]
        return found[-1] if all(found) else ""

    def view(self, answer: Any) -> Any:
        return answer["embeddings"][0]


class KeypointDetection(Seen):
    def call(self, row: Row) -> Any:
        sizes = torch.tensor([self.size(row)])
        (found,) = self.processor.post_process_keypoint_detection(self.seen(row), sizes)
        places = zip(found["scores"].tolist(), found["keypoints"].tolist(), strict=True)
        return sorted([int(x), int(y), float(score)] for score, (x, y) in places)

    def view(self, answer: Any) -> Any:
        return sorted(
            [int(one["x"]), int(one["y"]), one["score"]] for one in answer["keypoints"][0]
        )


class KeypointMatching(Seen):
    """By the processor: transformers' pipeline tells it width and height the wrong way round, and
    an EfficientLoFTR of its own pairs places that do not belong together.
    """

    rows = tuple(
        {"pairs": [[FILES[first], FILES[second]]]}
        for first, second in ((0, 1), (2, 3), (3, 0), (1, 2))
    )

    def open(self) -> None:
        super().open()
        if self.model.config.model_type == "efficientloftr":
            match_by_hand(self.model)

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        pair = [picture({"images": [file]}) for file in row["pairs"][0]]
        out = self.model(**self.processor(pair, return_tensors="pt"))
        (found,) = self.processor.post_process_keypoint_matching(
            out, [[image.size[::-1] for image in pair]], threshold=0.0
        )
        places = (found[name].tolist() for name in ("keypoints0", "keypoints1"))
        scores = found["matching_scores"].tolist()
        return sorted([*a, *b, score] for a, b, score in zip(*places, scores, strict=True))

    def view(self, answer: Any) -> Any:
        return sorted(
            [*(int(one[name]) for name in ("x0", "y0", "x1", "y1")), one["score"]]
            for one in answer["matches"][0]
        )


class ImageToImage(Seen):
    def call(self, row: Row) -> Any:
        made = self.seen(row).reconstruction[0].clamp(0, 1).permute(1, 2, 0).numpy()
        height, width = (2 * edge for edge in self.size(row))
        return png((made * 255).round().astype(np.uint8)[:height, :width])

    def view(self, answer: Any) -> Any:
        return answer["images"][0]


_LABELS = (["a cat", "the quick brown fox"], ["red car", "a cat", "london"], ["london", "dog"])
_LABELLED = tuple(
    {"images": [file], "candidate_labels": labels}
    for file, labels in zip(FILES, (*_LABELS, _LABELS[0]), strict=True)
)


class ZeroShotImageClassification(Piped):
    pipeline = "zero-shot-image-classification"
    rows = _LABELLED

    def call(self, row: Row) -> Any:
        found = self.pipe(picture(row), candidate_labels=row["candidate_labels"])
        return {one["label"]: one["score"] for one in found}

    def view(self, answer: Any) -> Any:
        return {one["label"]: one["score"] for one in answer["results"][0]}


class MultimodalEmbedding(Seen):
    rows = (
        *({"images": [file]} for file in FILES),
        *({"texts": [text]} for text in (*TEXTS[1:4], "a cat")),
    )

    def open(self) -> None:
        super().open()
        config = self.model.config
        self.words: Any = transformers.AutoTokenizer.from_pretrained(self.folder)
        # As their pages have it: trained so.
        siglip = config.model_type.startswith("siglip")
        self.padding = {"padding": "max_length", "max_length": 64} if siglip else {}

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        if "images" in row:
            inputs = self.processor(images=picture(row), return_tensors="pt")
            made = self.model.get_image_features(**inputs)
        else:
            words = self.words(row["texts"], truncation=True, return_tensors="pt", **self.padding)
            made = self.model.get_text_features(**words)
        vector = made.pooler_output[0]
        vector = vector[0] if vector.ndim == 2 else vector  # FLAVA's first stands for all
        return (vector / vector.norm(p=2, dim=-1, keepdim=True)).tolist()

    def view(self, answer: Any) -> Any:
        return answer["embeddings"][0]


class VisualDocumentRetrieval(Trial):
    """Each page's score alone: a processor fills up several, and rates what it filled in."""

    rows = tuple(
        {"queries": [query], "pages": [[FILES[i] for i in pages]]}
        for query, pages in zip(TEXTS, ([0, 3], [1, 2, 3], [2], [3, 0, 1]), strict=False)
    )

    def open(self) -> None:
        auto: Any = getattr(transformers, self.auto_class)
        self.processor: Any = transformers.AutoProcessor.from_pretrained(self.folder)
        self.model: Any = auto.from_pretrained(self.folder).eval()

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        query = self.model(**self.processor.process_queries(text=row["queries"])).embeddings
        scores = []
        for file in row["pages"][0]:
            image = picture({"images": [file]})
            page = self.model(**self.processor.process_images(images=[image])).embeddings
            scores.append(float(self.processor.score_retrieval(query, page)))
        return scores

    def view(self, answer: Any) -> Any:
        found = {page["index"]: page["score"] for page in answer["rankings"][0]}
        return [found[index] for index in range(len(found))]


class MultivectorEmbedding(VisualDocumentRetrieval):
    rows = MultimodalEmbedding.rows

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        if "images" in row:
            made = self.processor.process_images(images=[picture(row)])
        else:
            made = self.processor.process_queries(text=row["texts"])
        return self.model(**made).embeddings[0].tolist()

    def view(self, answer: Any) -> Any:
        return answer["features"][0]


class ZeroShotObjectDetection(Trial):
    rows = _LABELLED
    fixed: ClassVar = {"threshold": 0.0}

    def open(self) -> None:
        auto: Any = getattr(transformers, self.auto_class)
        self.processor: Any = transformers.AutoProcessor.from_pretrained(self.folder)
        self.model: Any = auto.from_pretrained(self.folder).eval()

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        image, labels = picture(row), row["candidate_labels"]
        inputs = self.processor(text=[labels], images=image, return_tensors="pt")
        (found,) = self.processor.post_process_grounded_object_detection(
            self.model(**inputs),
            target_sizes=[image.size[::-1]],
            threshold=0.0,
            text_labels=[labels],
        )
        return boxes(found, found["text_labels"])

    def view(self, answer: Any) -> Any:
        return _sorted(answer["detections"][0])


TRIALS: dict[str, type[Trial]] = {
    "depth-estimation": DepthEstimation,
    "image-anonymization": ImageAnonymization,
    "image-classification": ImageClassification,
    "image-feature-extraction": ImageFeatureExtraction,
    "image-segmentation": ImageSegmentation,
    "image-to-image": ImageToImage,
    "keypoint-detection": KeypointDetection,
    "keypoint-matching": KeypointMatching,
    "multimodal-embedding": MultimodalEmbedding,
    "multivector-embedding": MultivectorEmbedding,
    "object-detection": ObjectDetection,
    "visual-document-retrieval": VisualDocumentRetrieval,
    "zero-shot-image-classification": ZeroShotImageClassification,
    "zero-shot-object-detection": ZeroShotObjectDetection,
}
