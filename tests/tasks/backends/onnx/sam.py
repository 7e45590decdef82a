"""SAM and SAM 2 in two graphs, as their exporters write them, of transformers' tiny models."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as hf

EDGE = 64

#: Of pixels from 0 to 255.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

Axes = Mapping[str, Mapping[int, str]]


class Eye(torch.nn.Module):
    """The half that sees, in one of its exporters' forms."""

    def __init__(self, model: Any, *, positions: bool = False, raw: bool = False) -> None:
        super().__init__()
        self.model, self.positions, self.raw = model, positions, raw

    def forward(self, image: torch.Tensor) -> Any:
        if self.raw:  # samexporter's --use-preprocess
            mean, std = (
                torch.tensor([123.675, 116.28, 103.53]),
                torch.tensor([58.395, 57.12, 57.375]),
            )
            image = ((image - mean) / std).permute(2, 0, 1)
            pad = (0, EDGE - image.shape[2], 0, EDGE - image.shape[1])
            image = torch.nn.functional.pad(image, pad)[None]
        seen = self.model.get_image_embeddings(image)
        if isinstance(seen, torch.Tensor):
            places = self.model.get_image_wide_positional_embeddings()
            return (seen, places.repeat(seen.shape[0], 1, 1, 1)) if self.positions else seen
        return tuple(seen)


class Mouth(torch.nn.Module):
    """The half that answers prompts, as Optimum writes it: points alone, always three masks."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, points: Any, labels: Any, seen: Any, places: Any) -> Any:
        sparse, dense = self.model.prompt_encoder(points, labels, None, None)
        masks, scores = self.model.mask_decoder(
            image_embeddings=seen,
            image_positional_embeddings=places,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )[:2]
        return scores, masks


class Sam2Mouth(torch.nn.Module):
    """SAM 2's as transformers.js reads it: points and boxes, each of which may be empty."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, points: Any, labels: Any, boxes: Any, *seen: Any) -> Any:
        corners = torch.cat([boxes[..., :2], boxes[..., 2:]], dim=1)[:, None]
        kinds = torch.zeros_like(boxes[..., 0], dtype=torch.int64)
        kinds = torch.cat([kinds + 2, kinds + 3], dim=1)[:, None]
        out = self.model(
            image_embeddings=[*seen],
            input_points=torch.cat([points, corners], dim=2),
            input_labels=torch.cat([labels, kinds], dim=2),
        )
        return out.iou_scores, out.pred_masks


class MetaMouth(torch.nn.Module):
    """The half that answers as segment-anything's own export, or samexporter's of SAM 2."""

    def __init__(self, model: Any, masks: str = "all") -> None:
        super().__init__()
        self.model, self.masks = model, masks
        self.is_sam2 = model.config.model_type == "sam2"

    def forward(
        self, points: Any, labels: Any, mask: Any, has_mask: Any, size: Any, *seen: Any
    ) -> Any:
        encoder = self.model.prompt_encoder
        if self.is_sam2:  # it pads by itself
            points = torch.cat([points, torch.zeros(len(points), 1, 2)], dim=1)
            labels = torch.cat([labels, -torch.ones(len(labels), 1)], dim=1)
        places = encoder.shared_embedding(points[:, None] + 0.5, (EDGE, EDGE))[:, 0]
        kinds = labels[..., None]
        places = places * (kinds != -1) + encoder.not_a_point_embed.weight * (kinds == -1)
        for number in range(4):
            kind = encoder.point_embed
            weight = kind.weight[number] if self.is_sam2 else kind[number].weight
            places = places + weight * (kinds == number)
        dense = has_mask * encoder.mask_embed(mask)
        dense = dense + (1 - has_mask) * encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        more: Any = {"high_resolution_features": [*seen[:-1]]} if self.is_sam2 else {}
        given = {
            "image_embeddings": seen[-1],
            "image_positional_embeddings": self.model.get_image_wide_positional_embeddings(),
            "sparse_prompt_embeddings": places[:, None],
            "dense_prompt_embeddings": dense,
            **more,
        }
        three = self.model.mask_decoder(**given, multimask_output=True)
        found, scores = (part[:, 0] for part in three[:2])
        if self.masks != "three":
            single = self.model.mask_decoder(**given, multimask_output=False)
            first, score = (part[:, 0] for part in single[:2])
            found = first if self.masks == "one" else torch.cat([first, found], dim=1)
            scores = score if self.masks == "one" else torch.cat([score, scores], dim=1)
        if self.is_sam2:
            return found, scores
        large = torch.nn.functional.interpolate(found, (EDGE, EDGE), mode="bilinear")
        return large + 0 * size.sum(), scores, found


def _write(
    path: Path,
    model: torch.nn.Module,
    given: Mapping[str, torch.Tensor],
    outputs: Sequence[str],
    axes: Axes,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing
        torch.onnx.export(
            model.eval(),
            tuple(given.values()),
            path,
            input_names=[*given],
            output_names=[*outputs],
            dynamic_axes={name: dict(free) for name, free in axes.items()},
            opset_version=17,
            dynamo=False,
        )


def _seen(model: Any) -> list[torch.Tensor]:
    with torch.inference_mode():
        seen = model.get_image_embeddings(torch.zeros(1, 3, EDGE, EDGE))
    return [seen] if isinstance(seen, torch.Tensor) else [*seen]


def optimum(source: Path, folder: Path) -> Path:
    """SAM in the names of Optimum and transformers.js."""
    model = _model(source, folder)
    free = {0: "batch_size"}
    names = ["image_embeddings", "image_positional_embeddings"]
    image = {"pixel_values": torch.zeros(2, 3, EDGE, EDGE)}
    eye = folder / "onnx" / "vision_encoder.onnx"
    _write(
        eye, Eye(model, positions=True), image, names, dict.fromkeys(["pixel_values", *names], free)
    )
    (seen,) = _seen(model)
    points = {**free, 1: "point_batch_size", 2: "nb_points_per_image"}
    given = {
        "input_points": torch.ones(1, 1, 3, 2),
        "input_labels": torch.ones(1, 1, 3, dtype=torch.int64),
        "image_embeddings": seen,
        "image_positional_embeddings": model.get_image_wide_positional_embeddings(),
    }
    axes = dict.fromkeys(names, free) | dict.fromkeys(["input_points", "input_labels"], points)
    mouth = folder / "onnx" / "prompt_encoder_mask_decoder.onnx"
    _write(mouth, Mouth(model), given, ["iou_scores", "pred_masks"], axes)
    return folder


def transformers_js(source: Path, folder: Path) -> Path:
    """SAM 2 in the names of transformers.js."""
    model = _model(source, folder)
    names = [f"image_embeddings.{level}" for level in range(3)]
    free = {0: "batch_size"}
    image = {"pixel_values": torch.zeros(2, 3, EDGE, EDGE)}
    eye = folder / "onnx" / "vision_encoder.onnx"
    _write(eye, Eye(model), image, names, dict.fromkeys(["pixel_values", *names], free))
    given = {
        "input_points": torch.ones(2, 1, 3, 2),
        "input_labels": torch.ones(2, 1, 3, dtype=torch.int64),
        "input_boxes": torch.ones(2, 2, 4),
        **dict(zip(names, (part.repeat(2, 1, 1, 1) for part in _seen(model)), strict=True)),
    }
    points = {**free, 1: "objects", 2: "points"}
    axes = {
        **dict.fromkeys(names, free),
        "input_points": points,
        "input_labels": points,
        "input_boxes": {**free, 1: "boxes"},
    }
    mouth = folder / "onnx" / "prompt_encoder_mask_decoder.onnx"
    _write(mouth, Sam2Mouth(model), given, ["iou_scores", "pred_masks"], axes)
    return folder


def segment_anything(source: Path, folder: Path, *, masks: str = "all", raw: bool = False) -> Path:
    """SAM as segment-anything's script writes its decoder, and samexporter its encoder."""
    model = _model(source, folder, plain=True)
    image = torch.zeros(EDGE, EDGE, 3) if raw else torch.zeros(1, 3, EDGE, EDGE)
    axes = {"input_image": {0: "image_height", 1: "image_width"}} if raw else {}
    eye = folder / "sam_tiny.encoder.onnx"
    _write(eye, Eye(model, raw=raw), {"input_image": image}, ["image_embeddings"], axes)
    given = {**_prompts(1), "image_embeddings": _seen(model)[0]}
    free = {1: "num_points"}
    axes = {"point_coords": free, "point_labels": free}
    outputs = ["masks", "iou_predictions", "low_res_masks"]
    _write(folder / "sam_tiny.decoder.onnx", MetaMouth(model, masks), given, outputs, axes)
    return folder


def samexporter_sam2(source: Path, folder: Path) -> Path:
    """SAM 2 as samexporter and others write it."""
    model = _model(source, folder, plain=True)
    names = ["high_res_feats_0", "high_res_feats_1", "image_embed"]
    image = {"image": torch.zeros(1, 3, EDGE, EDGE)}
    _write(folder / "sam2_tiny.encoder.onnx", Eye(model), image, names, {})
    prompts = _prompts(1)
    given = {**prompts, **dict(zip(names, _seen(model), strict=True))}
    many = {0: "num_labels"}
    axes = {
        "point_coords": {**many, 1: "num_points"},
        "point_labels": {**many, 1: "num_points"},
        "mask_input": many,
        "has_mask_input": many,
    }
    mouth = MetaMouth(model, "three")
    _write(folder / "sam2_tiny.decoder.onnx", mouth, given, ["masks", "iou_predictions"], axes)
    return folder


def _prompts(count: int) -> dict[str, torch.Tensor]:
    return {
        "point_coords": torch.ones(count, 3, 2),
        "point_labels": torch.ones(count, 3),
        "mask_input": torch.zeros(count, 1, EDGE // 4, EDGE // 4),
        "has_mask_input": torch.zeros(count),
        "orig_im_size": torch.tensor([EDGE, EDGE], dtype=torch.float32),
    }


def _model(source: Path, folder: Path, *, plain: bool = False) -> Any:
    """The model; and its files beside the weights, unless its exporter writes graphs alone."""
    folder.mkdir(parents=True)
    for name in (
        () if plain else ("config.json", "preprocessor_config.json", "processor_config.json")
    ):
        if (source / name).exists():
            shutil.copy(source / name, folder)
    return hf.AutoModelForMaskGeneration.from_pretrained(source, attn_implementation="eager").eval()


#: What writes each, by the tiny model that it is made of.
WRITERS: Mapping[str, tuple[str, Callable[[Path, Path], Path]]] = {
    "optimum": ("mask-generation", optimum),
    "segment-anything": ("mask-generation", segment_anything),
    "transformers.js": ("mask-generation-sam2", transformers_js),
    "samexporter": ("mask-generation-sam2", samexporter_sam2),
}
