"""Segment Anything in two graphs, called as transformers' own models are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ....protocol.errors import OutOfMemory
from ..base import ModelRefused
from .checks import finite
from .graph import Arrays, Graph

#: What decoders take beside what the encoder saw: as transformers calls it, and segment-anything.
_OF_TRANSFORMERS = frozenset({"input_points", "input_labels", "input_boxes"})
_OF_SEGMENT_ANYTHING = frozenset(
    {"point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"}
)

#: What a point is to segment-anything's graphs: a box's corners, and none at all.
_CORNERS, _NONE = (2, 3), -1

#: How far a prompt's masks and scores may move in company.
_ROUNDING = 1e-3

#: Masks that its exporter writes a prompt: the single one, then the three from part to whole.
_ALL = 4

_WANTED = (
    "expected as its decoder's input_points, input_labels -> iou_scores, pred_masks, or "
    "point_coords, point_labels, mask_input, has_mask_input -> iou_predictions and low_res_masks "
    "or masks"
)


class MaskAnswer(NamedTuple):
    """Masks (N, 1, M, h, w) as logits, and their scores (N, 1, M)."""

    pred_masks: torch.Tensor
    iou_scores: torch.Tensor


class MaskGraphs(torch.nn.Module):
    """An encoder's graph, and a decoder's that takes prompts. It stands on the CPU for torch.

    Raises ModelRefused where the two do not fit, or are of no known exporter.
    """

    def __init__(self, encoder: Graph, decoder: Graph) -> None:
        super().__init__()
        self._encoder, self._decoder = encoder, decoder
        given = {*decoder.inputs}
        self._of_transformers = {"input_points", "input_labels"} <= given
        if not self._of_transformers and not {"point_coords", "point_labels"} <= given:
            raise ModelRefused(f"{decoder.path}: inputs {_named(decoder.inputs)}; {_WANTED}")
        self._score = self._output("iou_scores", "iou_predictions")
        self._mask = self._output("pred_masks", "low_res_masks", "masks")
        known = _OF_TRANSFORMERS if self._of_transformers else _OF_SEGMENT_ANYTHING
        self._handed = self._hand_over([name for name in decoder.inputs if name not in known])
        (self._image,) = encoder.inputs
        self.takes_boxes = not self._of_transformers or "input_boxes" in given
        #: Lines and columns of a mask to refine; 0 where it takes none.
        self.mask_edge = 0 if self._of_transformers else _edge(decoder, "mask_input")
        #: Masks that the graph gives a prompt.
        self.count = 0
        self._together = False

    def _output(self, *names: str) -> str:
        for name in names:
            if name in self._decoder.outputs:
                return name
        raise ModelRefused(
            f"{self._decoder.path}: outputs {_named(self._decoder.outputs)}; {_WANTED}"
        )

    def _hand_over(self, wanted: Sequence[str]) -> dict[str, str]:
        """The encoder's output for each input of the decoder that is not of prompts."""
        seen = [*self._encoder.outputs]
        if len(self._encoder.inputs) == 1:
            if wanted and {*wanted} <= {*seen}:
                return {name: name for name in wanted}
            if len(wanted) == len(seen) == 1:
                return {wanted[0]: seen[0]}
        raise ModelRefused(
            f"{self._encoder.path}: {_named(self._encoder.inputs)} -> {_named(seen)}; expected is "
            f"one image -> {_named(wanted)}, which {self._decoder.path.name} takes"
        )

    @property
    def fills(self) -> bool:
        """Whether images are stretched to fill the square, as SAM 2's are: it is handed maps of
        several sizes, and SAM one.
        """
        return len(self._handed) > 1 and "image_positional_embeddings" not in self._handed

    @property
    def sees_whole_numbers(self) -> bool:
        """Whether the encoder takes one image (H, W, 3) of 0 to 255, and makes the rest itself."""
        return len(self._encoder.inputs[self._image]) == 3

    @property
    def edge(self) -> int | None:
        """Lines of the images that the encoder takes, where that is fixed."""
        axes = self._encoder.inputs[self._image]
        return axes[2] if len(axes) == 4 and isinstance(axes[2], int) else None

    def try_out(self, values: NDArray[np.float32]) -> None:
        """Find out how many masks a prompt gets, and whether prompts answer together as alone.

        Raises ModelRefused where the graphs do not fit each other.
        """
        try:
            seen = self.get_image_embeddings(torch.from_numpy(values))
            other = [part.flip(-1) for part in seen]  # as another image might be seen
            alone = [self._tried(seen, 1.0), self._tried(other, 9.0)]
        except OutOfMemory:
            raise
        except Exception as error:  # the runtime's own share no other base
            raise ModelRefused(
                f"{self._encoder.path.parent}: {self._encoder.path.name} and "
                f"{self._decoder.path.name} do not answer together: {' '.join(str(error).split())}"
            ) from error
        self.count = alone[0].iou_scores.shape[-1]
        try:
            both = self._tried([torch.cat(two) for two in zip(seen, other, strict=True)], 1.0, 9.0)
        except Exception:  # an axis that is called free and is not
            return
        self._together = all(
            torch.allclose(torch.cat(parts), whole, atol=_ROUNDING, rtol=_ROUNDING)
            for *parts, whole in zip(*alone, both, strict=True)
        )

    def _tried(self, seen: Sequence[torch.Tensor], *edges: float) -> MaskAnswer:
        """All that a point gets at each of these places."""
        points = torch.tensor(edges)[:, None, None, None].expand(-1, 1, 1, 2)
        labels = torch.ones(len(edges), 1, 1, dtype=torch.int64)
        return self._answered(
            seen, {"input_points": points.numpy(), "input_labels": labels.numpy()}
        )

    def get_image_embeddings(self, pixel_values: torch.Tensor) -> list[torch.Tensor]:
        """What the encoder sees of images (B, 3, H, W), or of one (H, W, 3)."""
        arrays = {self._image: pixel_values.numpy()}
        if self.sees_whole_numbers:
            seen = self._encoder.run(arrays)
        else:
            seen = self._encoder.run_rows(arrays)
        return [torch.from_numpy(finite(seen[name], name)) for name in self._handed.values()]

    def forward(
        self,
        image_embeddings: Sequence[torch.Tensor],
        multimask_output: bool,
        **prompts: torch.Tensor,
    ) -> MaskAnswer:
        """The masks of N prompts, each on its own image.

        prompts: input_points (N, 1, k, 2), input_labels (N, 1, k), input_boxes (N, 1, 4) and
        input_masks (N, 1, h, w), in pixels of the square; those that are there.
        """
        arrays = {name: part.numpy() for name, part in prompts.items()}
        count = len(image_embeddings[0])
        step = count if self._together else 1
        parts = [
            self._answered(
                [part[at : at + step] for part in image_embeddings],
                {name: array[at : at + step] for name, array in arrays.items()},
            )
            for at in range(0, count, step)
        ]
        masks, scores = (torch.cat(found) for found in zip(*parts, strict=True))
        if scores.shape[-1] == _ALL:
            part = slice(1, None) if multimask_output else slice(0, 1)
            masks, scores = masks[:, :, part], scores[:, :, part]
        return MaskAnswer(masks, scores)

    def _answered(self, seen: Sequence[torch.Tensor], prompts: Arrays) -> MaskAnswer:
        """All that the graph gives for prompts, in one run."""
        count = len(seen[0])
        shared: Arrays = {}
        if self._of_transformers:
            arrays = _as_transformers(count, prompts)
        else:
            arrays = self._as_segment_anything(count, prompts)
            size = np.full(2, self.mask_edge, dtype=np.float32)
            shared = {"orig_im_size": size} if "orig_im_size" in self._decoder.inputs else {}
        handed = dict(zip(self._handed, (part.numpy() for part in seen), strict=True))
        found = self._decoder.run_rows({**handed, **arrays}, shared=shared)
        masks, scores = finite(found[self._mask], "masks"), finite(found[self._score], "scores")
        return MaskAnswer(
            torch.from_numpy(masks.reshape(count, 1, -1, *masks.shape[-2:])),
            torch.from_numpy(scores.reshape(count, 1, -1)),
        )

    def _as_segment_anything(self, count: int, prompts: Arrays) -> dict[str, NDArray[Any]]:
        """A box as its two corners behind the points; where there is none, a point that is none.

        SAM 2's graphs add that point by themselves.
        """
        spots, kinds = [], []
        if "input_points" in prompts:
            spots.append(prompts["input_points"][:, 0])
            kinds.append(prompts["input_labels"][:, 0])
        if "input_boxes" in prompts:
            spots.append(prompts["input_boxes"].reshape(count, 2, 2))
            kinds.append(np.tile(_CORNERS, (count, 1)))
        elif not self.fills:
            spots.append(np.zeros((count, 1, 2)))
            kinds.append(np.full((count, 1), _NONE))
        mask = prompts.get("input_masks")
        shape = (count, 1, self.mask_edge, self.mask_edge)
        return {
            "point_coords": np.concatenate(spots, axis=1).astype(np.float32),
            "point_labels": np.concatenate(kinds, axis=1).astype(np.float32),
            "mask_input": np.zeros(shape, np.float32) if mask is None else mask,
            "has_mask_input": np.full(count, mask is not None, dtype=np.float32),
        }


def _as_transformers(count: int, prompts: Arrays) -> Arrays:
    """What is not there is empty, as transformers.js has it."""
    return {
        "input_points": np.zeros((count, 1, 0, 2), np.float32),
        "input_labels": np.zeros((count, 1, 0), np.int64),
        "input_boxes": np.zeros((count, 0, 4), np.float32),
        **prompts,
    }


def _edge(graph: Graph, name: str) -> int:
    axes = graph.inputs.get(name, ())
    if len(axes) == 4 and isinstance(axes[3], int):
        return axes[3]
    raise ModelRefused(f"{graph.path}: {name} {[*axes]} is not (N, 1, h, w) of a fixed size")


def _named(names: Any) -> str:
    return ", ".join(names) or "none"
