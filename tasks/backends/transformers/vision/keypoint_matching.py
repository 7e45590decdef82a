from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....media.decode import decode
from ....vision.keypoint_matching import (
    KeypointMatch,
    KeypointMatchingInput,
    KeypointMatchingOutput,
)
from ...company import Company
from ...rows import Decoded
from ...sizes import Size
from .images import ImagesBackend

log = logging.getLogger(__name__)

#: What post-processing reads of a model's answer; EfficientLoFTR's has no mask.
_READ = ("matches", "matching_scores", "keypoints", "mask")


class PairOfImages(NamedTuple):
    """Two decoded images as the model wants them, (1, 2, 3, H, W), and their sizes."""

    pixel_values: torch.Tensor
    sizes: tuple[Size, Size]


class KeypointMatching(ImagesBackend):
    """The matches of an AutoModelForKeypointMatching.

    Each pair has a forward of its own: beside others SuperGlue counts their padding as places.
    """

    auto_class = "AutoModelForKeypointMatching"
    company = Company("one-by-one")

    def load_processor(self) -> None:
        """Load the image processor, which makes and reads pairs."""
        from transformers import AutoImageProcessor

        self.processor: Any = AutoImageProcessor.from_pretrained(
            self.source, revision=self._revision, trust_remote_code=False
        )
        if hasattr(self.model, "_get_matches_from_scores"):  # EfficientLoFTR
            self.model._get_matches_from_scores = partial(  # noqa: SLF001 # it has no other seam
                _matched_places, self.model.config
            )

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """A forward a readable row; the device is let go between them."""
        decoded = Decoded(batch, self._decode)
        rows = zip(decoded.inputs, decoded.rows, strict=True)
        return decoded.answers([self._answer(row, pair) for row, pair in rows])

    def _decode(self, row: TaskInput) -> PairOfImages:
        assert isinstance(row, KeypointMatchingInput)
        images = []
        for number, file in enumerate(row.pairs[0]):
            try:
                images.append(decode(file, self._max_pixels, row.background))
            except RowError as error:
                raise RowError(f"image {number}: {error.message}") from None
        try:
            made = self.processor(images, return_tensors="pt")
        except ValueError as error:
            log.info("the image processor refused a row: %s", error)
            told = " and ".join(f"{image.width} x {image.height}" for image in images)
            raise RowError(f"the model's processor refuses images of {told} pixels") from None
        return PairOfImages(made["pixel_values"], (images[0].size, images[1].size))

    def _answer(self, row: TaskInput, pair: PairOfImages) -> TaskOutput:
        assert isinstance(row, KeypointMatchingInput)
        with self.forward():
            out = self.model(**self.to_device({"pixel_values": pair.pixel_values}))
            own = {name: out[name].cpu() for name in _READ if out.get(name) is not None}
        own = {name: t.float() if t.is_floating_point() else t for name, t in own.items()}
        (found,) = self.processor.post_process_keypoint_matching(
            type(out)(**own),
            [[(height, width) for width, height in pair.sizes]],
            threshold=row.threshold,
        )
        names = ("matching_scores", "keypoints0", "keypoints1")
        scores, first, second = (found[name].tolist() for name in names)
        matches = [
            KeypointMatch(score=score, x0=x0, y0=y0, x1=x1, y1=y1)
            for score, (x0, y0), (x1, y1) in zip(scores, first, second, strict=True)
        ]
        return KeypointMatchingOutput(matches=[sorted(matches, key=lambda match: -match.score)])


def _matched_places(config: Any, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find EfficientLoFTR's coarse matches, in the first image's order for both images.

    transformers 5.23 has those of the first image in the second one's order, and the other way
    round: what it then refines, and answers as a pair, are places that do not belong together.
    scores: (B, H, W, H, W) -> indices, -1 where there is none, and scores: (B, 2, H * W) each.
    """
    from transformers.models.efficientloftr.modeling_efficientloftr import mask_border

    kept = scores > config.coarse_matching_threshold
    kept = mask_border(kept, config.coarse_matching_border_removal, False)
    scores, kept = (values.flatten(3, 4).flatten(1, 2) for values in (scores, kept))
    rows, columns = (scores == scores.max(axis, keepdim=True).values for axis in (2, 1))
    best, second = (scores * (kept & rows & columns)).max(2)
    first = torch.arange(best.shape[1], device=best.device).expand_as(best)
    places = torch.stack([first, second], 1)
    return torch.where(best[:, None] > 0, places, -1), torch.stack([best, best], 1)
