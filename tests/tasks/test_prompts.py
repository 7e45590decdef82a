"""Points, labels and boxes, which must fit each other."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.protocol.errors import InvalidRequest
from wherry.tasks.samples import PNG
from wherry.tasks.vision.mask_generation import MaskGenerationInput


@pytest.mark.parametrize(
    "prompts",
    [
        {"points": [[[[1, 2], [3, 4]]]], "labels": [[[1, 0]]]},
        {"points": [[[[1, 2]], [[3, 4]]]], "boxes": [[[1, 2, 3, 4], [1, 2, 3, 4]]]},
        {"points": [[]], "labels": [[]], "boxes": [[[1, 2.5, 3, 4]]]},
        {"points": [[]]},
    ],
)
def test_prompts_that_fit_are_taken(prompts: dict[str, Any]) -> None:
    MaskGenerationInput.validated({"images": [PNG], **prompts})


@pytest.mark.parametrize(
    "prompts",
    [
        {"labels": [[[1]]]},
        {"points": [[[[1, 2], [3, 4]]]], "labels": [[[1]]]},
        {"points": [[[[1, 2]]]], "boxes": [[[1, 2, 3, 4], [1, 2, 3, 4]]]},
        {"points": [[[[1, 2, 3]]]]},
        {"points": [[[[1, float("nan")]]]]},
        {"points": [[[]]]},
        {"boxes": [[[1, 2, 3]]]},
        {"points": [[[[1, 2]]]], "labels": [[[7]]]},
    ],
)
def test_prompts_that_do_not_fit_are_refused(prompts: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        MaskGenerationInput.validated({"images": [PNG], **prompts})
