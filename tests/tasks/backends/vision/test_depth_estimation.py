"""Depth maps against the pipeline, row by row, and on the wire."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import pipeline

from wherry.protocol import codec
from wherry.protocol.errors import InvalidTensor
from wherry.tasks.backends.image.depth import depth_answer
from wherry.tasks.backends.transformers.vision.depth_estimation import DepthEstimation
from wherry.tasks.create import create_task
from wherry.tasks.vision.depth_estimation import (
    DepthEstimationInput,
    DepthEstimationOutput,
    DepthMap,
)

from ....support import tiny

TOLERANCE = 1e-4


def array(depths: DepthMap) -> NDArray[np.float32]:
    return np.frombuffer(depths.values, "<f4").reshape(depths.height, depths.width)


@pytest.fixture(scope="module")
def answered(tiny_model: Callable[[str], Path]) -> DepthEstimationOutput:
    task = create_task("transformers", "depth-estimation", str(tiny_model("depth-estimation")))
    output = task.process(DepthEstimationInput(images=tiny.images()))
    assert isinstance(output, DepthEstimationOutput)
    return output


def test_batch_equals_the_pipelines_single_answers(
    answered: DepthEstimationOutput, tiny_model: Callable[[str], Path]
) -> None:
    own = pipeline("depth-estimation", str(tiny_model("depth-estimation")))
    spread = []
    for depths, picture, data in zip(
        answered.predicted_depth, answered.depth, tiny.images(), strict=True
    ):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        theirs = own(image)
        values = theirs["predicted_depth"].numpy()
        assert (depths.width, depths.height) == image.size
        assert array(depths) == pytest.approx(values, abs=TOLERANCE)
        grey = np.asarray(Image.open(io.BytesIO(picture))).astype(int)
        assert abs(grey - np.asarray(theirs["depth"]).astype(int)).max() <= 1
        spread.append(values.mean())
    assert np.ptp(spread) > 100 * TOLERANCE  # the rows differ, so the order counts


def test_maps_of_different_sizes_survive_the_wire(answered: DepthEstimationOutput) -> None:
    response = answered.to_inference_response("m")
    tensor = response.output("predicted_depth")
    sizes = [(m.height, m.width) for m in answered.predicted_depth]
    assert len(set(sizes)) > 1
    assert tensor.shape == [len(sizes), *np.max(sizes, axis=0)]
    for binary in (False, True):
        body, header_length = codec.encode_response(response, binary=binary)
        read = codec.decode_response(body, header_length)
        assert DepthEstimationOutput.from_inference_response(read) == answered


def test_padding_is_zero_at_the_right_and_below() -> None:
    maps = [depth_answer(np.ones(shape, dtype=np.float32)) for shape in ((1, 3), (2, 2))]
    output = DepthEstimationOutput.join(maps)
    tensor = output.to_inference_response("m").output("predicted_depth")
    assert tensor.parameters == {"map_sizes": "1x3,2x2"}
    values = np.array(tensor.flat()).reshape(tensor.shape)
    assert values.tolist() == [[[1, 1, 1], [0, 0, 0]], [[1, 1, 0], [1, 1, 0]]]


def test_maps_of_one_size_need_no_parameter() -> None:
    output = DepthEstimationOutput.join([depth_answer(np.ones((2, 3), dtype=np.float32))] * 2)
    tensor = output.to_inference_response("m").output("predicted_depth")
    assert (tensor.shape, tensor.parameters) == ([2, 2, 3], {})


@pytest.mark.parametrize("sizes", ["", "2x2", "1x3,3x2", "1x3,2", "1x3,2x2,1x1", "1x3,-1x2"])
def test_sizes_that_do_not_fit_are_refused(sizes: str) -> None:
    maps = [depth_answer(np.ones(shape, dtype=np.float32)) for shape in ((1, 3), (2, 2))]
    response = DepthEstimationOutput.join(maps).to_inference_response("m")
    response.output("predicted_depth").parameters["map_sizes"] = sizes
    with pytest.raises(InvalidTensor, match="map_sizes"):
        DepthEstimationOutput.from_inference_response(response)


def test_a_flat_map_is_black() -> None:
    output = depth_answer(np.full((4, 5), 2, dtype=np.float32))
    picture = Image.open(io.BytesIO(output.depth[0]))
    assert (picture.mode, picture.size, picture.getextrema()) == ("L", (5, 4), (0, 0))


@pytest.mark.parametrize("do_pad", [True, False])
def test_the_border_that_zoedepth_adds_is_taken_off(*, do_pad: bool) -> None:
    down, across = (21, 15) if do_pad else (0, 0)  # three times the root of half an edge
    inner = torch.rand(98, 50)
    whole = torch.nn.functional.pad(inner, (across, across, down, down), value=9)
    backend: Any = SimpleNamespace(processor=SimpleNamespace(do_pad=do_pad))
    made = DepthEstimation._without_border(backend, whole[None], (50, 98))
    assert torch.allclose(made, inner, atol=1e-5)
