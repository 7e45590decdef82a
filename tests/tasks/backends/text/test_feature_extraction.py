"""Batches against the pipeline of transformers, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import pipeline

from wherry.protocol import codec
from wherry.tasks.create import create_task
from wherry.tasks.text.feature_extraction import FeatureExtractionInput, FeatureExtractionOutput

TOLERANCE = 1e-3
TEXTS = ["the quick brown fox", "", "lazy dog " * 60, "héllo wörld ☂"]


def test_batch_equals_the_pipelines_single_answers(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("feature-extraction")
    task = create_task("transformers", "feature-extraction", str(folder))
    output = task.process(FeatureExtractionInput(texts=TEXTS))
    assert isinstance(output, FeatureExtractionOutput)
    reference: Any = pipeline("feature-extraction", model=str(folder))
    for vectors, text in zip(output.features, TEXTS, strict=True):
        (own,) = reference(text, tokenize_kwargs={"truncation": True})
        assert np.array(vectors) == pytest.approx(np.array(own), abs=TOLERANCE)
    lengths = [len(vectors) for vectors in output.features]
    assert lengths[1] == 2  # [CLS] and [SEP]
    assert lengths[2] == 64  # cut to what the model reads


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("binary", [False, True])
def test_ragged_rows_travel_padded(dim: int, *, binary: bool) -> None:
    features = [[[float(t)] * dim for t in range(count)] for count in (2, 0, 3)]
    output = FeatureExtractionOutput(features=features)
    response = output.to_inference_response("m")
    assert response.outputs[0].shape == [3, 3, dim]
    body, header = codec.encode_response(response, binary=binary)
    back = FeatureExtractionOutput.from_inference_response(codec.decode_response(body, header))
    assert back == output


def test_no_tokens_at_all() -> None:
    output = FeatureExtractionOutput.empty()
    response = output.to_inference_response("m")
    assert FeatureExtractionOutput.from_inference_response(response) == output
