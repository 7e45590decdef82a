from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....media.decode import decode
from ....tensors import Grid
from ....vision.mask_generation import MaskGenerationInput, MaskGenerationOutput, ObjectMask
from ...image.mask_search import Crop, crops, cut_off, grid, suppress
from ...image.png import mask_png
from ...rows import Decoded
from ...sizes import Size
from .images import ImagesBackend
from .seen_images import Seen, SeenImages, of_one, together
from .segment_anything import Canvas, Masks, ObjectPrompt, decode_prompts

#: Pixels of masks brought to the image's size at once.
_PIXELS_AT_ONCE = 2**26


#: Models cut their own at 32; from somewhere far beyond they answer nothing that is finite.
_LARGEST_LOGIT = 1e4


class Look(NamedTuple):
    """A part of a row's image that the model looks at, and what is asked about it."""

    #: None where `seen` has what the model sees of it.
    image: Image.Image | None
    crop: Crop
    prompts: list[ObjectPrompt]
    #: The name of what is kept of it; "" for what is not.
    key: str = ""
    seen: Seen | None = None

    @property
    def size(self) -> Size:
        """Width and height in pixels of the image as sent."""
        left, top, right, bottom = self.crop
        return right - left, bottom - top


class MaskCandidate(NamedTuple):
    """A mask as the model made it, small; only those that are answered become large."""

    look: Look
    logits: torch.Tensor  # (h, w) on the CPU
    score: float
    box: NDArray[np.float32]  # (4,) in pixels of the whole image; zeros where none was needed


@dataclass(frozen=True, slots=True)
class MaskRow:
    """A decoded row, and what is found for it."""

    input: MaskGenerationInput
    size: Size
    looks: list[Look]
    #: Whether all objects are looked for.
    searched: bool
    found: list[MaskCandidate] = field(default_factory=list)


class MaskGeneration(ImagesBackend):
    """Masks of an AutoModelForMaskGeneration: SAM, SAM-HQ, SAM 2 and 3.

    Images go through the encoder together, crops in rounds of as many as the batch has rows; then
    prompts of all rows go through the decoder, `points_per_batch` at a time. A search asks at
    `points_per_side` squared places of an image. What the encoder made of an image that was asked
    about with prompts is kept for 5 minutes, `kept_bytes` at most (0 keeps nothing).
    """

    auto_class = "AutoModelForMaskGeneration"
    canvas: Canvas

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        points_per_batch: int = 64,
        points_per_side: int = 32,
        kept_bytes: int = 134217728,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, **parameters)
        self._points_per_batch, self._points_per_side = points_per_batch, points_per_side
        self._kept = SeenImages(kept_bytes)

    def load_processor(self) -> None:
        """Read what the model wants to see."""
        self.canvas = Canvas.from_pretrained(str(self.source), self._revision)
        prompts = self.model.config.prompt_encoder_config
        self._mask_edge = 4 * prompts.image_size // prompts.patch_size

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One encoding of all readable rows; masks become files once the device is let go."""
        decoded = Decoded(batch, self._decode)
        looks = [(row, look) for row in decoded.rows for look in row.looks]
        with self.forward():
            for start in range(0, len(looks), len(decoded.rows) or 1):
                self._look(looks[start : start + len(decoded.rows)])
        return decoded.answers([self._answer(row) for row in decoded.rows])

    def _decode(self, row: TaskInput) -> MaskRow:
        assert isinstance(row, MaskGenerationInput)
        if (row.points or [[]])[0] or (row.boxes or [[]])[0]:
            look = self._marked(row)
            return MaskRow(row, look.size, [look], searched=False)
        image = decode(row.images[0], self._max_pixels, row.background)
        for asked in ("return_logits", "return_image_embedding"):
            if getattr(row, asked):
                raise RowError(f"{asked}: of an image with prompts alone: give points or boxes")
        looks = [
            Look(self.canvas.fit(image.crop(crop)), crop, self._grid(row, layer, crop))
            for layer, crop in crops(image.size, row.crops_n_layers, row.crop_overlap_ratio)
        ]
        return MaskRow(row, image.size, looks, searched=True)

    def _marked(self, row: MaskGenerationInput) -> Look:
        """The whole image with the row's own prompts."""
        file, key = row.images[0], (row.image_embeddings or [""])[0]
        if file:
            key = self._kept.name(file, row.background)
        seen = self._kept.find(key)
        if seen is not None:
            return Look(None, (0, 0, *seen.size), self._own_prompts(row, seen.size), key, seen)
        if key and not file:
            raise RowError("image_embedding: it is not kept here, or no longer: send the image")
        image = decode(file, self._max_pixels, row.background)
        prompts = self._own_prompts(row, image.size)
        return Look(self.canvas.fit(image), (0, 0, *image.size), prompts, key)

    def _own_prompts(self, row: MaskGenerationInput, size: Size) -> list[ObjectPrompt]:
        """The row's own prompts."""
        points, boxes = (row.points or [[]])[0], (row.boxes or [[]])[0]
        labels = (row.labels or [[]])[0] or [[1] * len(prompt) for prompt in points]
        nothing: list[Any] = [[]] * max(len(points), len(boxes))
        masks: list[NDArray[np.float32] | None] = [
            self._own_mask(mask) for mask in (row.mask_inputs or [[]])[0]
        ]
        return [
            ObjectPrompt(
                0,
                self.canvas.scaled(np.array(spots, "f4").reshape(-1, 2), size),
                np.array(signs, dtype=np.int64),
                self.canvas.scaled(np.array(box, "f4").reshape(2, 2), size).ravel()
                if box
                else None,
                row.multimask_output,
                mask,
            )
            for spots, signs, box, mask in zip(
                points or nothing,
                labels or nothing,
                boxes or nothing,
                masks or [None] * len(nothing),
                strict=True,
            )
        ]

    def _own_mask(self, grid: Grid) -> NDArray[np.float32]:
        """Logits to refine, (h, w). Raises RowError for another size than the model's."""
        high, wide = len(grid), len(grid[0]) if grid else 0
        if (high, wide) != (self._mask_edge,) * 2 or {*map(len, grid)} != {wide}:
            raise RowError(
                f"mask_inputs: {high} lines of {wide}, this model takes {self._mask_edge} of "
                f"{self._mask_edge}: its own mask_logits"
            )
        logits = np.array(grid, dtype=np.float32)
        if not (np.abs(logits) <= _LARGEST_LOGIT).all():  # NaN is at most nothing
            raise RowError(f"mask_inputs: logits lie within {_LARGEST_LOGIT:g} of 0")
        return logits

    def _grid(self, row: MaskGenerationInput, layer: int, crop: Crop) -> list[ObjectPrompt]:
        """A point per place of the grid: fewer in deeper layers."""
        size = crop[2] - crop[0], crop[3] - crop[1]
        side = max(1, int(self._points_per_side / row.crop_n_points_downscale_factor**layer))
        points = self.canvas.scaled(grid(side, size), size)
        here = np.ones(1, dtype=np.int64)
        return [ObjectPrompt(0, point[None], here, None, multimask=True) for point in points]

    def _look(self, looks: Sequence[tuple[MaskRow, Look]]) -> None:
        """Find what a round of looks shows: one encoding, then all their prompts."""
        embeddings = self._embeddings([look for _, look in looks])
        prompts = [
            prompt._replace(image=image)
            for image, (_, look) in enumerate(looks)
            for prompt in look.prompts
        ]
        # Prompts keep their order, whichever chunk they went in.
        answers: list[list[MaskCandidate]] = [[] for _ in prompts]
        for masks in decode_prompts(
            self.model, embeddings, prompts, at_once=self._points_per_batch, dtype=self._dtype
        ):
            for image in {prompts[i].image for i in masks.prompts}:
                row, look = looks[image]
                own = [n for n, i in enumerate(masks.prompts) if prompts[i].image == image]
                part = Masks([masks.prompts[n] for n in own], masks.logits[own], masks.scores[own])
                self._collect(row, look, part, answers)
        for prompt, found in zip(prompts, answers, strict=True):
            looks[prompt.image][0].found.extend(found)

    def _embeddings(self, looks: Sequence[Look]) -> Any:
        """What the encoder makes of all, in one batch; those that it saw before it passes over."""
        images = [look.image for look in looks if look.image is not None]
        if not images:
            return together([look.seen.embeddings for look in looks if look.seen])
        values = self.canvas.tensor(images)
        made = self.model.get_image_embeddings(**self.to_device({"pixel_values": values}))
        if not any(look.key for look in looks):
            return made
        parts, new = [], iter(range(len(images)))
        for look in looks:
            seen = look.seen or Seen(look.size, of_one(made, next(new)))
            if look.seen is None and look.key:
                self._kept.keep(look.key, seen)
            parts.append(seen.embeddings)
        return together(parts)

    def close(self) -> None:
        """Drop the model, and what it saw."""
        self._kept.clear()
        super().close()

    def _collect(
        self, row: MaskRow, look: Look, masks: Masks, answers: list[list[MaskCandidate]]
    ) -> None:
        """Put a look's masks with their prompts; of a search only those that are good enough."""
        keys = np.repeat(masks.prompts, masks.scores.shape[1])
        logits, scores = masks.logits.flatten(0, 1), masks.scores.flatten()
        if not row.searched:
            small, nowhere = logits.cpu(), np.zeros(4, "f4")
            for n, key in enumerate(keys):
                answers[key].append(MaskCandidate(look, small[n], float(scores[n]), nowhere))
            return
        least = row.input.pred_iou_thresh
        good = (scores > (least if least > 0 else -math.inf)).nonzero()[:, 0]
        step = max(1, _PIXELS_AT_ONCE // self.canvas.area(look.size))
        for part in good.split(step):
            large = self.canvas.upsampled(logits[part], look.size)
            boxes, keep = _measured(row, look, large)
            small = logits[part].cpu()
            for n in keep.nonzero()[0].tolist():
                at = int(part[n])
                answers[keys[at]].append(MaskCandidate(look, small[n], float(scores[at]), boxes[n]))

    def _answer(self, row: MaskRow) -> TaskOutput:
        found = row.found
        if row.searched:
            boxes = np.array([mask.box for mask in found], "f4").reshape(-1, 4)
            scores = np.array([mask.score for mask in found], "f4")
            found = [found[i] for i in suppress(boxes, scores, row.input.crops_nms_thresh)]
        masks = [
            ObjectMask(
                mask=self._file(row, mask),
                score=mask.score,
                logits=mask.logits.tolist() if row.input.return_logits else None,
            )
            for mask in found
        ]
        if not row.input.return_image_embedding:
            return MaskGenerationOutput(masks=[masks])
        key = row.looks[0].key
        if self._kept.find(key) is None:
            return MaskGenerationOutput(masks=[masks]).warned(
                "image_embedding: not kept: kept_bytes has no room for it"
            )
        return MaskGenerationOutput(masks=[masks], image_embeddings=[key])

    def _file(self, row: MaskRow, mask: MaskCandidate) -> bytes:
        large = self.canvas.upsampled(mask.logits[None], mask.look.size)[0]
        left, top, right, bottom = mask.look.crop
        whole = np.zeros((row.size[1], row.size[0]), dtype=np.bool_)
        whole[top:bottom, left:right] = (large > row.input.mask_threshold).numpy()
        return mask_png(whole)


def _measured(
    row: MaskRow, look: Look, large: torch.Tensor
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Boxes (N, 4) of masks (N, H, W) in the whole image, and which masks are stable and whole.

    A stable mask hardly changes when the threshold of its logits is moved up and down.
    """
    given = row.input
    boxes = _boxes(large > given.mask_threshold).cpu().numpy().astype(np.float32)
    boxes += np.array([look.crop[0], look.crop[1]] * 2, "f4")
    keep = ~cut_off(boxes, look.crop, row.size)
    if given.stability_score_thresh > 0:
        offset = given.stability_score_offset
        high = (large > given.mask_threshold + offset).flatten(1).sum(1)
        low = (large > given.mask_threshold - offset).flatten(1).sum(1)
        # An empty mask has no stability: 0 / 0 is greater than nothing.
        keep &= (high / low > given.stability_score_thresh).cpu().numpy()
    return boxes, keep


def _boxes(masks: torch.Tensor) -> torch.Tensor:
    """The first and last columns and lines (N, 4) of masks (N, H, W); zeros for an empty one."""
    columns, lines = masks.any(1).int(), masks.any(2).int()
    first = [axis.argmax(1) for axis in (columns, lines)]
    last = [axis.shape[1] - 1 - axis.flip(1).argmax(1) for axis in (columns, lines)]
    return torch.stack([*first, *last], 1) * columns.any(1)[:, None]
