"""What the Segment Anything models share: the square they look at, and the prompts they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ...image.pixels import Pixels
from ...rows import alike
from ...sizes import Exact, Size

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class LongestEdge:
    """The longer edge becomes `edge`, the shorter follows, rounded."""

    edge: int
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Keep the aspect ratio."""
        scale = self.edge / max(size)
        return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)


@dataclass(frozen=True, slots=True)
class Canvas:
    """The square that a model looks at: filled by the image (SAM 2), or padded below and at the
    right (SAM). `padded` is its (width, height) then, else None.
    """

    pixels: Pixels
    padded: Size | None

    @classmethod
    def from_pretrained(cls, source: str, revision: str | None) -> Self:
        """Read the processor's settings only: SAM 2's processor itself needs torchvision."""
        from transformers.image_processing_base import ImageProcessingMixin

        config, _ = ImageProcessingMixin.get_image_processor_dict(source, revision=revision)
        return cls.from_config(config)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read preprocessor_config.json."""
        size, factor = config["size"], config.get("rescale_factor") or 1 / 255
        mean, std = config.get("image_mean") or _MEAN, config.get("image_std") or _STD
        longest = size.get("longest_edge")
        pad = config.get("pad_size") or {"width": longest, "height": longest}
        return cls(
            Pixels(
                resize=LongestEdge(longest) if longest else Exact((size["width"], size["height"])),
                crop=None,
                resample=Image.Resampling(config.get("resample") or Image.Resampling.BILINEAR),
                scale=tuple(factor / s for s in std),
                shift=tuple(-m / s for m, s in zip(mean, std, strict=True)),
            ),
            padded=(pad["width"], pad["height"]) if longest else None,
        )

    def fit(self, image: Image.Image) -> Image.Image:
        """Resize an RGB image to what it takes of the square. Raises RowError."""
        return self.pixels.fit(image)

    def tensor(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Fitted images -> (B, 3, H, W)."""
        if self.padded is None:
            return torch.from_numpy(self.pixels.normalise(images))
        values = torch.zeros(len(images), 3, self.padded[1], self.padded[0])
        for row, image in enumerate(images):
            own = torch.from_numpy(self.pixels.normalise([image])[0])
            values[row, :, : image.height, : image.width] = own
        return values

    def scaled(self, coordinates: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
        """Points (..., 2) in pixels of an image of that size -> pixels of the square."""
        assert self.pixels.resize is not None
        fitted = self.pixels.resize(size)
        factors = np.array([f / s for f, s in zip(fitted, size, strict=True)], np.float32)
        scaled: NDArray[np.float32] = coordinates * factors
        return scaled

    def area(self, size: Size) -> int:
        """Pixels that `upsampled` needs a mask for, at its largest."""
        return max(size[0] * size[1], self.padded[0] * self.padded[1] if self.padded else 0)

    def upsampled(self, logits: torch.Tensor, size: Size) -> torch.Tensor:
        """The model's masks (N, h, w) -> logits (N, H, W) of an image of that size."""
        logits = logits[:, None]
        if self.padded is not None:
            assert self.pixels.resize is not None
            wide, high = self.pixels.resize(size)
            logits = _resized(logits, self.padded)[..., :high, :wide]
        return _resized(logits, size)[:, 0]


def _resized(values: torch.Tensor, size: Size) -> torch.Tensor:
    return torch.nn.functional.interpolate(
        values, (size[1], size[0]), mode="bilinear", align_corners=False
    )


class ObjectPrompt(NamedTuple):
    """What one object is marked with, in pixels of the square. `image` counts within a batch."""

    image: int
    points: NDArray[np.float32]  # (k, 2), k may be 0
    labels: NDArray[np.int64]  # (k,)
    box: NDArray[np.float32] | None  # (4,)
    multimask: bool
    mask: NDArray[np.float32] | None = None  # (h, w), logits to refine


class Masks(NamedTuple):
    """The answer to a chunk of prompts."""

    prompts: list[int]
    logits: torch.Tensor  # (N, M, h, w)
    scores: torch.Tensor  # (N, M)


def decode_prompts(
    model: Any,
    embeddings: Any,
    prompts: Sequence[ObjectPrompt],
    *,
    at_once: int,
    dtype: torch.dtype,
) -> Iterator[Masks]:
    """Answer prompts of any images in chunks, with the images' embeddings. Call it in a forward.

    Prompts that differ in their number of points go into different chunks: SAM attends to padding.
    """
    named = _named(embeddings)
    whole = named["image_embeddings"]
    device = whole.device if isinstance(whole, torch.Tensor) else whole[-1].device
    for group in alike(
        (len(p.labels), p.box is None, p.mask is None, p.multimask) for p in prompts
    ):
        for start in range(0, len(group), at_once):
            chunk = group[start : start + at_once]
            given = _inputs([prompts[i] for i in chunk])
            out = model(
                **{
                    name: _picked(part, [prompts[i].image for i in chunk], device)
                    for name, part in named.items()
                },
                multimask_output=prompts[chunk[0]].multimask,
                **{
                    name: tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
                    for name, tensor in given.items()
                },
            )
            yield Masks(chunk, out.pred_masks[:, 0].float(), out.iou_scores[:, 0].float())


def _inputs(prompts: Sequence[ObjectPrompt]) -> dict[str, torch.Tensor]:
    """Each prompt by itself: points (N, 1, k, 2), labels (N, 1, k), boxes (N, 1, 4), masks
    (N, 1, h, w).
    """
    inputs: dict[str, NDArray[Any]] = {}
    if len(prompts[0].labels):
        inputs["input_points"] = np.stack([p.points for p in prompts])[:, None]
        inputs["input_labels"] = np.stack([p.labels for p in prompts])[:, None]
    if prompts[0].box is not None:
        inputs["input_boxes"] = np.stack([p.box for p in prompts if p.box is not None])[:, None]
    if prompts[0].mask is not None:
        inputs["input_masks"] = np.stack([p.mask for p in prompts if p.mask is not None])[:, None]
    return {name: torch.from_numpy(values) for name, values in inputs.items()}


def _named(embeddings: Any) -> dict[str, Any]:
    """Embeddings by the names that a model takes: SAM-HQ has those of its layers, too."""
    if isinstance(embeddings, tuple):
        return dict(zip(("image_embeddings", "intermediate_embeddings"), embeddings, strict=True))
    return {"image_embeddings": embeddings}


def _picked(embeddings: Any, images: Sequence[int], device: torch.device) -> Any:
    """The embeddings of those images; SAM has one tensor, SAM 2 a list of them."""
    if isinstance(embeddings, torch.Tensor):
        return embeddings[torch.tensor(images, device=device)]
    return [_picked(level, images, device) for level in embeddings]
