"""SAM and SAM 2 in two graphs, against transformers' own answers to each row."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.graph import Graph
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.mask_generation import MaskGenerationInput

from ....support import tiny
from ..vision.test_mask_generation import (
    ALONE,
    BOXES,
    LABELS,
    POINTS,
    SETTINGS,
    cut,
    opened,
    pixels,
    search_alone,
)
from . import graphs, sam

Written = Callable[[str], tuple[Path, Path]]


@pytest.fixture(scope="module")
def written(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The tiny model that graphs are made of, and their folder, by the form's name."""
    folder = tmp_path_factory.mktemp("sam")

    @functools.cache
    def made(form: str) -> tuple[Path, Path]:
        name, write = sam.WRITERS[form]
        return tiny_model(name), write(tiny_model(name), folder / form)

    return made


def create(folder: Path, **parameters: Any) -> LocalTask:
    given = {"points_per_side": 4, "threads": 1, **parameters}
    return create_task("onnxruntime", "mask-generation", str(folder), given)


#: Exporting SAM 2 takes seconds.
SLOW = [pytest.param(form, marks=pytest.mark.slow) for form in ("transformers.js", "samexporter")]


@pytest.mark.parametrize("form", ["optimum", "segment-anything", *SLOW])
def test_prompts_of_all_kinds_in_one_batch_get_the_models_single_answers(
    form: str, written: Written
) -> None:
    source, folder = written(form)
    rows = [0, 1] if form == "optimum" else [0, 1, 2, 3]  # it takes points alone
    images = [tiny.images()[row] for row in rows]
    given = [[part[row] for row in rows] for part in (POINTS, LABELS, BOXES)]
    with create(folder) as task:
        points, labels, boxes = given
        together = cut(task, images=images, points=points, labels=labels, boxes=boxes)
        alone = cut(task, images=images[1:2], points=points[1:2])
    assert [mask.score for mask in alone[0]] == pytest.approx(
        [mask.score for mask in together[1]], abs=1e-3
    )
    for image, masks, spots, signs, corners in zip(images, together, *given, strict=True):
        own = ALONE[sam.WRITERS[form][0]](
            source,
            image,
            input_points=spots,
            input_labels=signs or [[1] for _ in spots],
            input_boxes=corners,
        )
        for found, (mask, score) in zip(masks, own, strict=True):
            assert found.score == pytest.approx(score, abs=1e-3)
            assert (pixels(found) == mask).mean() > 0.999


def _refined(source: Path, mask: torch.Tensor, **more: Any) -> Any:
    """What the model says to the first image's first prompt with a mask to refine."""
    model: Any = hf.AutoModelForMaskGeneration.from_pretrained(source).eval()
    image = opened(tiny.images()[0])
    config = source / "preprocessor_config.json"
    settings = json.loads(config.read_text()) if config.exists() else {}
    # SAM looks at the image in the upper left corner, SAM 2 at one that fills the square.
    long = [round(edge * sam.EDGE / max(image.size)) for edge in image.size]
    width, height = (sam.EDGE, sam.EDGE) if settings else long
    values = np.zeros((3, sam.EDGE, sam.EDGE), np.float32)
    seen = np.asarray(image.resize((width, height), 2), np.float32)
    values[:, :height, :width] = ((seen - sam.MEAN) / sam.STD).transpose(2, 0, 1)
    scale = [width / image.width, height / image.height]
    points = torch.tensor(np.array(POINTS[0][0]) * scale, dtype=torch.float32)
    with torch.inference_mode():
        return model(
            torch.tensor(values)[None],
            input_points=points[None, None],
            input_labels=torch.tensor(LABELS[0][0])[None, None],
            input_masks=mask[None, None],
            **more,
        )


@pytest.mark.parametrize("form", ["segment-anything", SLOW[1]])
def test_a_mask_is_refined_as_the_model_does(form: str, written: Written) -> None:
    source, folder = written(form)
    asked = {"points": [POINTS[0], POINTS[1][:1]], "labels": [LABELS[0], []], "return_logits": True}
    with create(folder) as task:
        first = cut(task, images=tiny.images()[:2], **asked)
        grid: Any = first[0][0].logits
        again = cut(task, images=tiny.images()[:2], mask_inputs=[[grid], []], **asked)
        singles = {"multimask_output": False, **asked}
        if form == "samexporter":
            with pytest.raises(Exception, match="row 0: multimask_output: .* three masks a prompt"):
                cut(task, images=tiny.images()[:2], **singles)
        else:
            single = cut(task, images=tiny.images()[:2], mask_inputs=[[grid], []], **singles)
            own = _refined(source, torch.tensor(grid), multimask_output=False)
            assert single[0][0].score == pytest.approx(float(own.iou_scores), abs=1e-3)
            assert len(single[0]) == len(single[1]) == 1
    own = _refined(source, torch.tensor(grid))
    assert [mask.score for mask in again[0]] == pytest.approx(
        own.iou_scores.flatten().tolist(), abs=1e-3
    )
    for mask, logits in zip(again[0], own.pred_masks[0, 0].numpy(), strict=True):
        assert np.abs(np.array(mask.logits) - logits).max() < 1e-3 * np.abs(logits).max()
    assert np.abs(np.array(again[0][0].logits) - np.array(grid)).max() > 0.01
    assert again[1] == first[1]  # its neighbour's mask is not its own


def test_a_search_finds_what_transformers_own_steps_find(written: Written) -> None:
    source, folder = written("segment-anything")
    (data,) = tiny.images()[1:2]
    with create(folder) as task:
        (found,) = cut(task, images=[data], **SETTINGS)
    scores, _ = search_alone(source, data, SETTINGS)
    assert [mask.score for mask in found] == pytest.approx(scores, abs=1e-3)


def test_an_image_is_seen_once(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = written("optimum")
    seen: list[int] = []
    run = Graph.run

    def counted(self: Graph, arrays: Any) -> Any:
        if "pixel_values" in arrays:
            seen.append(len(arrays["pixel_values"]))
        return run(self, arrays)

    with create(folder) as task:
        monkeypatch.setattr(Graph, "run", counted)
        images = tiny.images()[:2]
        cut(task, images=images, points=POINTS[:2], labels=LABELS[:2])
        cut(task, images=images, points=[POINTS[1], POINTS[1]])
    assert seen == [2]


def test_what_a_graph_cannot_be_asked_fails_its_row_alone(written: Written) -> None:
    _, folder = written("optimum")
    mask = np.zeros((16, 16)).tolist()
    with create(folder) as task:
        for told, why in (
            ({"boxes": [[[3, 4, 30, 30]]]}, "boxes: the decoder's graph takes points alone"),
            ({"points": [[[[3, 4]]]], "mask_inputs": [[mask]]}, "mask_inputs: .* takes none"),
            ({"points": [[[[3, 4]]]], "multimask_output": False}, "multimask_output: .* three"),
        ):
            rows = [
                MaskGenerationInput.validated({"images": tiny.images()[:1], **row})
                for row in (told, {"points": [[[[3, 4]]]]})
            ]
            broken, whole = task.backend.run(rows)
            with pytest.raises(Exception, match=why):
                raise broken  # type: ignore[misc] # a RowError, or this test fails
            assert len(whole.masks[0]) == 3  # type: ignore[union-attr] # an output, likewise


@pytest.mark.slow
def test_a_graph_of_one_mask_says_so_and_one_that_pads_sees_the_same(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    source = tiny_model("mask-generation")
    folder = sam.segment_anything(source, tmp_path / "sam", masks="one", raw=True)
    given: dict[str, Any] = {"images": tiny.images()[1:2], "points": [POINTS[1]]}
    with create(folder) as task:
        output: Any = task.process(MaskGenerationInput.validated(given))
    assert output.warning == "multimask_output: the decoder's graph answers one mask a prompt"
    with create_task("transformers", "mask-generation", str(source)) as whole:
        own = cut(whole, **given, multimask_output=False)
    assert [mask.score for mask in output.masks[0]] == pytest.approx(
        [mask.score for mask in own[0]], abs=1e-3
    )


def test_which_two_graphs_is_told_by_their_names(written: Written, tmp_path: Path) -> None:
    _, folder = written("segment-anything")
    two = Path(shutil.copytree(folder, tmp_path / "two"))
    for half in ("encoder", "decoder"):
        shutil.copy(two / f"sam_tiny.{half}.onnx", two / f"sam_tiny.{half}.quant.onnx")
    with pytest.raises(ModelRefused, match="name one as the model parameter `file`, such as"):
        create(two)
    with create(two, file="sam_tiny.encoder.quant.onnx") as task:
        model: Any = task.backend.model  # type: ignore[attr-defined] # a GraphMasks
        assert model._decoder.path.name == "sam_tiny.decoder.quant.onnx"
    (folder_of_one := tmp_path / "one").mkdir()
    shutil.copy(folder / "sam_tiny.decoder.onnx", folder_of_one)
    with pytest.raises(ModelRefused, match=r"holds sam_tiny.decoder.onnx: expected are two, such"):
        create(folder_of_one)


def test_graphs_of_other_names_are_refused_by_name(written: Written, tmp_path: Path) -> None:
    _, folder = written("segment-anything")
    shutil.copy(folder / "sam_tiny.encoder.onnx", tmp_path / "encoder.onnx")
    strange = graphs.constant(tmp_path / "strange", {"answers": np.zeros((1, 3), np.float32)})
    shutil.copy(strange / "model.onnx", tmp_path / "decoder.onnx")
    with pytest.raises(ModelRefused, match=r"decoder.onnx: inputs images; expected as its decoder"):
        create(tmp_path)
    decoder = written("optimum")[1] / "onnx" / "prompt_encoder_mask_decoder.onnx"
    shutil.copy(decoder, tmp_path / "decoder.onnx")
    with pytest.raises(
        ModelRefused,
        match="input_image -> image_embeddings; expected is one image -> .*image_positional_embed",
    ) as said:
        create(tmp_path)
    assert "\n" not in str(said.value)
