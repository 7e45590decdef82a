"""What a model saw of an image is kept for a while, and within a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from wherry.protocol.errors import RowError
from wherry.samples.tiny import build
from wherry.tasks.backends.transformers.vision.seen_images import (
    KEPT_S,
    Seen,
    SeenImages,
    of_one,
    together,
)
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.mask_generation import MaskGenerationInput, MaskGenerationOutput

from ....support import tiny

#: 40 bytes each, of two images in one batch.
PARTS = (torch.arange(20.0).view(2, 10), [torch.arange(20.0).view(2, 10)])


def seen(size: int = 10) -> Seen:
    return Seen((4, 3), torch.zeros(1, size))


def test_the_last_asked_about_stay_within_the_bound() -> None:
    kept = SeenImages(most=100)
    for file in ("a", "b"):
        kept.keep(file, seen())
    assert kept.find("a")
    kept.keep("c", seen())
    assert [bool(kept.find(file)) for file in ("a", "b", "c")] == [True, False, True]
    kept.keep("large", seen(100))  # never at all
    kept.keep("c", seen())  # again
    assert [bool(kept.find(file)) for file in ("a", "c", "large")] == [True, True, False]
    kept.clear()
    assert kept.find("a") is None


def test_each_ground_makes_another_picture() -> None:
    kept = SeenImages(most=100)
    asked = [(b"file", "red"), (b"file", "darkred"), (b"filedark", "red"), (b"other", "red")]
    assert len({kept.name(*each) for each in asked}) == len(asked)
    assert kept.name(*asked[0]) == kept.name(*asked[0])


def test_what_nobody_asks_about_is_forgotten() -> None:
    now = [0.0]
    kept = SeenImages(most=100, clock=lambda: now[0])
    kept.keep("a", seen())
    kept.keep("b", seen())
    now[0] = KEPT_S - 1
    assert kept.find("a")
    now[0] = KEPT_S + 1
    assert kept.find("b") is None
    assert kept.find("a")


def test_nothing_is_kept_where_nothing_may_be() -> None:
    kept = SeenImages(most=0)
    kept.keep("a", seen())
    assert kept.find("a") is None


def test_images_come_apart_and_together() -> None:
    first, second = (of_one(PARTS, image) for image in (0, 1))
    assert Seen((1, 1), first).bytes == 80
    assert first[0].untyped_storage().nbytes() == 40  # the other image is not held
    torch.testing.assert_close(together([first, second]), PARTS)
    torch.testing.assert_close(together([second]), second)


@pytest.fixture(
    params=["mask-generation", "mask-generation-sam-hq", "mask-generation-sam2"], scope="module"
)
def task(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalTask]:
    folder = tiny_folder(request.param, tmp_path_factory)
    with create_task("transformers", "mask-generation", str(folder)) as made:
        yield made


def tiny_folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(name, tmp_path_factory.mktemp(name))


def cut(task: LocalTask, **fields: Any) -> MaskGenerationOutput:
    output = task.process(MaskGenerationInput(**fields))
    assert isinstance(output, MaskGenerationOutput)
    return output


def test_an_image_is_encoded_once_and_answers_the_same(
    task: LocalTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = task.backend.model  # type: ignore[attr-defined] # of transformers
    encode: Callable[..., Any] = model.get_image_embeddings
    batches: list[int] = []

    def counted(pixel_values: torch.Tensor) -> Any:
        batches.append(len(pixel_values))
        return encode(pixel_values)

    monkeypatch.setattr(model, "get_image_embeddings", counted)
    images = tiny.images()[:3]
    points = [[[[20.0, 30.0]]], [[[10.0, 10.0]]], [[[50.0, 20.0]]]]
    first = cut(task, images=images[:2], points=points[:2], return_logits=True)
    again = cut(task, images=images[:2], points=points[:2], return_logits=True)
    assert batches == [2]
    mixed = cut(task, images=images[::-1], points=points[::-1], return_logits=True)
    assert batches == [2, 1]
    for own, others in zip(
        [*first.masks, *first.masks], [*again.masks, *mixed.masks[:0:-1]], strict=True
    ):
        for mask, other in zip(own, others, strict=True):
            assert other.score == pytest.approx(mask.score, abs=1e-4)
            a, b = torch.tensor(mask.logits), torch.tensor(other.logits)
            assert (a - b).abs().max() < 1e-3 * a.abs().max()


def test_a_name_given_back_stands_for_the_image(task: LocalTask) -> None:
    image = tiny.images()[1]
    points = [[[[10.0, 10.0]]]]
    first = cut(task, images=[image], points=points, return_image_embedding=True)
    (name,) = first.image_embeddings
    assert len(name) == 32
    again = cut(task, images=[b""], points=points, image_embeddings=[name])
    assert [mask.mask for mask in again.masks[0]] == [mask.mask for mask in first.masks[0]]
    sent = cut(task, images=[image], points=points, image_embeddings=["0" * 32])
    assert [mask.mask for mask in sent.masks[0]] == [mask.mask for mask in first.masks[0]]
    with pytest.raises(RowError, match="row 0: image_embedding: .* send the image"):
        cut(task, images=[b""], points=points, image_embeddings=["0" * 32])
    with pytest.raises(RowError, match="row 0: the image is empty"):
        cut(task, images=[b""], points=points)
    both = MaskGenerationInput(
        images=[image, b""],
        points=[*points, []],
        boxes=[[], [[1.0, 2.0, 30.0, 40.0]]],
        image_embeddings=["", name],
    )
    assert MaskGenerationInput.from_inference_request(both.to_inference_request()) == both
    assert MaskGenerationOutput.of(first.response("sam")) == first


def test_what_has_no_room_is_not_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tiny_folder("mask-generation", tmp_path_factory)
    with create_task("transformers", "mask-generation", str(folder), {"kept_bytes": 0}) as task:
        found = cut(
            task,
            images=tiny.images()[:1],
            points=[[[[10.0, 10.0]]]],
            return_image_embedding=True,
        )
    assert found.image_embeddings == [""]
    assert "image_embedding: not kept" in found.warning
