"""Runs where pixano-inference 0.5.6 is and Wherry is not: `pixano056_client.py URL DIR`."""

from __future__ import annotations

import asyncio

from pixano_inference.client import InferenceTooLongError, PixanoInferenceClient
from pixano_inference.pydantic import (
    ImageMaskGenerationRequest,
    ImageMaskGenerationResponse,
    ImageZeroShotDetectionRequest,
    ModelConfig,
    TextImageConditionalGenerationRequest,
    VideoMaskGenerationRequest,
)
from pixano_shared import (
    BOXES,
    CLASSES,
    LABELS,
    POINTS,
    PROMPT,
    TEXTS,
    URL,
    failure,
    pixels,
    told,
)

SEGMENT = ImageMaskGenerationRequest(
    model="mask-generation",
    image=TEXTS[0],
    points=POINTS,
    labels=LABELS,
    return_image_embedding=True,
)
FOLLOW = VideoMaskGenerationRequest(
    model="video-mask-generation",
    video=TEXTS,
    objects_ids=[3],
    frame_indexes=[0],
    boxes=BOXES,
)


def masks(result):
    data = result.data
    return {
        "status": result.status,
        "masks": [[pixels(mask.to_mask()) for mask in prompt] for prompt in data.masks],
        "scores": data.scores.to_numpy().tolist(),
        "image_embedding": list(data.image_embedding.shape),
    }


async def main():
    client = PixanoInferenceClient.connect(f"{URL}/pixano056")
    told("connect", {"models_to_task": client.models_to_task, "num_gpus": client.num_gpus})
    told("get_settings", (await client.get_settings()).models)
    told("list_models", {model.name: model.task for model in await client.list_models()})
    told("image_mask_generation", masks(await client.image_mask_generation(SEGMENT)))
    task = await client.image_mask_generation(SEGMENT, asynchronous=True)
    while True:
        done = await client.image_mask_generation(task_id=task.id, asynchronous=True)
        if isinstance(done, ImageMaskGenerationResponse):
            break
        await asyncio.sleep(0.05)
    told("image_mask_generation(asynchronous=True)", {"first": task.status, **masks(done)})
    followed = (await client.video_mask_generation(FOLLOW)).data
    told(
        "video_mask_generation",
        {
            "objects_ids": followed.objects_ids,
            "frame_indexes": followed.frame_indexes,
            "masks": [pixels(mask.to_mask()) for mask in followed.masks],
        },
    )
    for call, classes in (("", CLASSES), (" of one text", "circle. square.")):
        request = ImageZeroShotDetectionRequest(
            model="zero-shot-object-detection",
            image=TEXTS[0],
            classes=classes,
            box_threshold=0.0,
        )
        found = (await client.image_zero_shot_detection(request)).data
        told(f"image_zero_shot_detection{call}", found.model_dump())
    request = TextImageConditionalGenerationRequest(
        model="image-text-to-text", prompt=PROMPT, images=[TEXTS[0]], max_new_tokens=8
    )
    written = (await client.text_image_conditional_generation(request)).data
    told("text_image_conditional_generation", written.model_dump())
    await client.delete_model("token-classification")
    told("delete_model", [model.name for model in await client.list_models()])
    config = ModelConfig(name="token-classification", task="token_classification")
    await client.instantiate_model("transformers", config)
    told("instantiate_model", [model.name for model in await client.list_models()])
    try:
        await client.image_mask_generation(SEGMENT.model_copy(update={"model": "nobody"}))
    except Exception as error:
        told("an unknown model", failure(error))
    for _ in range(50):  # a busy machine may have the answer before the first look at the clock
        try:  # it revokes what takes too long
            await client.video_mask_generation(FOLLOW, poll_interval=0.001, timeout=0.001)
        except InferenceTooLongError as error:
            told("a timeout", failure(error))
            break


asyncio.run(main())
