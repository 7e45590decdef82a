"""SAM and SAM 2 against the models' own answers, row by row."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image

from wherry.tasks.backends.transformers.vision.segment_anything import Canvas
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.mask_generation import (
    MaskGenerationInput,
    MaskGenerationOutput,
    ObjectMask,
)

from ....support import tiny

Models = Callable[[str], Path]

TOLERANCE = 1e-4

#: Per image of `tiny.images`: one prompt of two points, two of one, a box, points and boxes.
POINTS: list[Any] = [[[[20, 30], [5, 6]]], [[[10, 10]], [[50, 40]]], [], [[[100, 99]], [[300, 9]]]]
LABELS: list[Any] = [[[1, 0]], [], [], [[1], [0]]]
BOXES: list[Any] = [[], [], [[3, 4, 100, 30]], [[50, 60, 200, 220], [0, 0, 333, 250]]]


def create(folder: Path, **parameters: Any) -> LocalTask:
    given = {"points_per_side": 4, **parameters}
    return create_task("transformers", "mask-generation", str(folder), given)


def cut(task: LocalTask, **fields: Any) -> list[list[ObjectMask]]:
    output = task.process(MaskGenerationInput.validated(fields))
    assert isinstance(output, MaskGenerationOutput)
    return output.masks


def pixels(found: ObjectMask) -> np.ndarray[Any, Any]:
    values = np.asarray(Image.open(io.BytesIO(found.mask)))
    assert set(np.unique(values)) <= {0, 255}
    return values > 0


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def sam_alone(
    folder: Path, data: bytes, **prompts: Any
) -> list[tuple[np.ndarray[Any, Any], float]]:
    """The masks and scores of SAM or SAM-HQ and its processor for one image."""
    model: Any = hf.AutoModelForMaskGeneration.from_pretrained(folder).eval()
    kind: Any = hf.SamHQProcessor if model.config.model_type == "sam_hq" else hf.SamProcessor
    processor = kind.from_pretrained(folder)
    given = {name: [value] for name, value in prompts.items() if value}
    inputs = processor(images=opened(data), return_tensors="pt", **given)
    sizes = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
    floats = {n: v.float() if v.is_floating_point() else v for n, v in inputs.items()}
    with torch.inference_mode():
        out = model(**floats)
    (masks,) = processor.image_processor.post_process_masks(out.pred_masks, *sizes)
    return list(zip(masks.flatten(0, 1).numpy(), out.iou_scores.flatten().tolist(), strict=True))


def sam2_alone(
    folder: Path, data: bytes, **prompts: Any
) -> list[tuple[np.ndarray[Any, Any], float]]:
    """The masks and scores of SAM 2 or 3 for one image; their own processors need torchvision."""
    model: Any = hf.AutoModelForMaskGeneration.from_pretrained(folder).eval()
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    image = opened(data)
    small = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)) / 255
    values = (small - settings["image_mean"]) / settings["image_std"]
    scale = np.array([64 / image.width, 64 / image.height])
    inputs: dict[str, torch.Tensor] = {}
    for name, value in prompts.items():
        if value and name == "input_labels":
            inputs[name] = torch.tensor([value])
        elif value:
            places = np.array(value, dtype=float)
            scaled = places.reshape(*places.shape[:-1], -1, 2) * scale
            inputs[name] = torch.tensor(scaled.reshape(1, *places.shape), dtype=torch.float32)
    with torch.inference_mode():
        out = model(torch.tensor(values).permute(2, 0, 1)[None].float(), **inputs)
        large = torch.nn.functional.interpolate(
            out.pred_masks[0], (image.height, image.width), mode="bilinear"
        )
    masks = (large > 0).flatten(0, 1).numpy()
    return list(zip(masks, out.iou_scores.flatten().tolist(), strict=True))


ALONE = {
    "mask-generation": sam_alone,
    "mask-generation-sam-hq": sam_alone,
    "mask-generation-sam2": sam2_alone,
    "mask-generation-sam3": sam2_alone,
}


@pytest.mark.parametrize("name", ALONE)
def test_prompts_of_all_kinds_in_one_batch_get_their_single_answers(
    name: str, tiny_model: Models
) -> None:
    folder, images = tiny_model(name), tiny.images()
    together = cut(create(folder), images=images, points=POINTS, labels=LABELS, boxes=BOXES)
    assert [len(masks) for masks in together] == [3, 6, 3, 6]
    for row, masks in enumerate(together):
        own = ALONE[name](
            folder,
            images[row],
            input_points=POINTS[row],
            input_labels=LABELS[row] or [[1] for _ in POINTS[row]],
            input_boxes=BOXES[row],
        )
        for found, (mask, score) in zip(masks, own, strict=True):
            assert found.score == pytest.approx(score, abs=TOLERANCE)
            assert (pixels(found) == mask).mean() > 0.999
    scores = [[round(mask.score, 2) for mask in masks[:3]] for masks in together]
    assert len({tuple(row) for row in scores}) == 4  # rows do differ
    shares = [pixels(mask).mean() for masks in together for mask in masks]
    assert any(0.1 < share < 0.9 for share in shares)


def _refined(folder: Path, data: bytes, row: int, mask: torch.Tensor) -> Any:
    """What the model says to the row's first prompt with a mask to refine, as it is called."""
    model: Any = hf.AutoModelForMaskGeneration.from_pretrained(folder).eval()
    canvas = Canvas.from_pretrained(str(folder), None)
    image = opened(data)
    places = canvas.scaled(np.array(POINTS[row][0], "f4"), image.size)
    points = torch.from_numpy(places)[None, None]
    labels = torch.tensor((LABELS[row] or [[1]])[0])[None, None]
    with torch.inference_mode():
        seen = model.get_image_embeddings(canvas.tensor([canvas.fit(image)]))
        eyes: Any = {"image_embeddings": seen}
        if isinstance(seen, tuple):  # SAM-HQ
            eyes = dict(zip(("image_embeddings", "intermediate_embeddings"), seen, strict=True))
        return model(
            **eyes,
            input_points=points,
            input_labels=labels,
            input_masks=mask[None, None],
            multimask_output=False,
        )


@pytest.mark.parametrize("name", ALONE)
def test_logits_given_back_are_refined_as_the_model_does(name: str, tiny_model: Models) -> None:
    folder, images = tiny_model(name), tiny.images()
    first = {"images": images[:2], "points": [POINTS[0], POINTS[1][:1]], "labels": [LABELS[0], []]}
    with create(folder) as task:
        found = cut(task, **first, return_logits=True)
        grids = [[row[0].logits or []] for row in found]
        again = cut(task, **first, mask_inputs=grids, return_logits=True, multimask_output=False)
        half = cut(task, **first, mask_inputs=[grids[0], []], multimask_output=False)
        plain = cut(task, **first, multimask_output=False)
        with pytest.raises(Exception, match="row 0: mask_inputs: 1 lines of 2, this model takes"):
            cut(task, **first, mask_inputs=[[[[1.0, 2.0]]], []])
        huge = [[[3e38 for _ in line] for line in grid] for grid in grids[0]]
        with pytest.raises(Exception, match="row 0: mask_inputs: logits lie within 10000 of 0"):
            cut(task, **first, mask_inputs=[huge, []])
        with pytest.raises(Exception, match="row 0: return_logits: .* give points or boxes"):
            cut(task, images=images[:1], return_logits=True)
    for row, (given, (refined,)) in enumerate(zip(grids, again, strict=True)):
        assert np.array(given).shape[1:] in {(16, 16), (32, 32)}
        own = _refined(folder, images[row], row, torch.tensor(given[0]))
        assert refined.score == pytest.approx(float(own.iou_scores), abs=TOLERANCE)
        logits = own.pred_masks[0, 0, 0].numpy()
        assert np.abs(np.array(refined.logits) - logits).max() < 1e-3 * np.abs(logits).max()
    assert half[0][0].score == pytest.approx(again[0][0].score, abs=TOLERANCE)
    assert half[1][0].score == pytest.approx(plain[1][0].score, abs=TOLERANCE)
    assert half[0][0].score != pytest.approx(plain[0][0].score, abs=TOLERANCE)


def test_logits_travel_both_ways(tiny_model: Models) -> None:
    asked = MaskGenerationInput(
        images=tiny.images()[:2],
        points=[[[[1.0, 2.0]], [[3.0, 4.0]]], [[[5.0, 6.0]]]],
        mask_inputs=[[[[0.5, 1.5], [2.5, 3.5]], [[4.5, 5.5], [6.5, 7.5]]], []],
    )
    request = asked.to_inference_request()
    assert request.input("mask_input").shape == [2, 2, 2, 2]
    assert MaskGenerationInput.from_inference_request(request) == asked
    with create(tiny_model("mask-generation")) as task:
        output = task.process(
            MaskGenerationInput(images=asked.images, points=asked.points, return_logits=True)
        )
    response = output.response("sam")
    assert response.output("mask_logits").shape == [2, 6, 16, 16]
    assert MaskGenerationOutput.of(response) == output


def search_alone(folder: Path, data: bytes, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Scores and masks that transformers' own steps find in one image; its pipeline, which joins
    them, needs torchvision.
    """
    eye: Any = hf.SamProcessor.from_pretrained(folder).image_processor
    model: Any = hf.SamModel.from_pretrained(folder).eval()
    boxes, grid, parts, labels = eye.generate_crop_boxes(
        opened(data), 64, settings["crops_n_layers"], settings["crop_overlap_ratio"], 4
    )
    masks, scores, places = [], [], []
    for n, part in enumerate(parts):
        inputs = eye(images=[part], return_tensors="pt", input_data_format="channels_first")
        with torch.inference_mode():
            out = model(
                inputs["pixel_values"],
                input_points=grid[:, :, n : n + 1].float(),
                input_labels=labels[:, :, n : n + 1],
            )
        sizes = inputs["original_sizes"], inputs["reshaped_input_sizes"]
        (large,) = eye.post_process_masks(out.pred_masks, *sizes, binarize=False)
        found = eye.filter_masks(
            large,
            out.iou_scores[0],
            opened(data).size[::-1],
            boxes[n].tolist(),
            settings["pred_iou_thresh"],
            settings["stability_score_thresh"],
            settings["mask_threshold"],
            settings["stability_score_offset"],
        )
        masks.extend(found[0])
        scores.append(found[1])
        places.append(found[2])
    return _kept(torch.cat(places), torch.cat(scores), masks, settings["crops_nms_thresh"])


def _kept(boxes: Any, scores: Any, masks: Any, threshold: float) -> tuple[Any, Any]:
    """Non-maximum suppression, one pair after the other."""
    kept: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if all(_overlap(boxes[i].tolist(), boxes[k].tolist()) <= threshold for k in kept):
            kept.append(i)
    return scores[kept].tolist(), [_unpacked(masks[i]) for i in kept]


def _overlap(a: list[float], b: list[float]) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0) * max(high, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (areas - shared) if areas > shared else 0.0


def _unpacked(rle: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Columns first, zeros first, as the COCO data set writes masks."""
    height, width = rle["size"]
    values = np.repeat(np.arange(len(rle["counts"])) % 2, rle["counts"])
    return values.reshape(width, height).T.astype(bool)


SETTINGS: dict[str, Any] = {
    "pred_iou_thresh": 0.0,
    "stability_score_thresh": 0.0,
    "stability_score_offset": 0.125,
    "mask_threshold": 1.0,
    "crops_nms_thresh": 0.9,
    "crops_n_layers": 0,
    "crop_overlap_ratio": 0.25,
}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        pytest.param({"crops_n_layers": 1}, marks=pytest.mark.slow),
        {"crops_n_layers": 1, "crops_nms_thresh": 0.5},
        pytest.param({"stability_score_thresh": 0.5}, marks=pytest.mark.slow),
        {"stability_score_thresh": 0.125, "stability_score_offset": 0.5},
        {"mask_threshold": -0.5, "crops_nms_thresh": 1.0},
        {"pred_iou_thresh": 0.25},
    ],
)
def test_a_search_finds_what_transformers_own_steps_find(
    changed: dict[str, Any], tiny_model: Models
) -> None:
    folder, images = tiny_model("mask-generation"), tiny.images()[1:3]
    settings = {**SETTINGS, **changed}
    together = cut(create(folder), images=images, **settings)
    assert sum(map(len, together)) >= 2
    for masks, data in zip(together, images, strict=True):
        scores, own = search_alone(folder, data, settings)
        assert [mask.score for mask in masks] == pytest.approx(scores, abs=TOLERANCE)
        for found, mask in zip(masks, own, strict=True):
            assert (pixels(found) == mask).mean() > 0.999
    if changed:  # each setting has its say
        assert together[0] != cut(create(folder), images=images[:1], **SETTINGS)[0]


def test_deeper_layers_have_fewer_points(
    tiny_model: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create(tiny_model("mask-generation"))
    points = 0
    model: Any = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    forward = model.forward

    def counted(input_points: torch.Tensor, **more: Any) -> object:
        nonlocal points
        points += len(input_points)
        return forward(input_points=input_points, **more)

    monkeypatch.setattr(model, "forward", counted)
    # transformers itself fails at any factor but 1: its layers' grids do not fit into one array.
    cut(task, images=tiny.images()[:1], crops_n_layers=1, crop_n_points_downscale_factor=2)
    assert points == 16 + 4 * 4


def test_one_encoding_a_batch(tiny_model: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    task = create(tiny_model("mask-generation"))
    sizes: list[int] = []
    model: Any = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    encode = model.vision_encoder.forward

    def counted(pixel_values: torch.Tensor, **more: Any) -> object:
        sizes.append(len(pixel_values))
        return encode(pixel_values, **more)

    monkeypatch.setattr(model.vision_encoder, "forward", counted)
    cut(task, images=tiny.images(), points=POINTS, labels=LABELS, boxes=BOXES)
    assert sizes == [4]


def test_one_mask_a_prompt_when_asked(tiny_model: Models) -> None:
    task = create(tiny_model("mask-generation"))
    data = tiny.images()[:1]
    (three,) = cut(task, images=data, points=[[[[5.0, 5.0]]]])
    (one,) = cut(task, images=data, points=[[[[5.0, 5.0]]]], multimask_output=False)
    assert (len(three), len(one)) == (3, 1)
    assert one[0] not in three
