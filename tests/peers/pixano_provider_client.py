"""Runs where pixano 0.7.2 or 0.8.0 is and Wherry is not: `pixano_provider_client.py URL DIR`.

Drives its provider for inference servers. The rest of `pixano.inference` is kept from being
imported: it wants Pixano's data sets, hundreds of megabytes that no request passes through.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
import types

import pixano
from pixano_shared import (
    AHEAD,
    BOXES,
    CLASSES,
    FRAMES,
    LABELS,
    POINTS,
    PROMPT,
    TEXTS,
    URL,
    encoded,
    failure,
    told,
)

OLD = importlib.metadata.version("pixano").startswith("0.7.")

package = types.ModuleType("pixano.inference")
package.__path__ = [f"{place}/inference" for place in pixano.__path__]
sys.modules["pixano.inference"] = package

from pixano.inference import types as wire  # noqa: E402 # once the package is there
from pixano.inference.exceptions import InferenceError  # noqa: E402 # as above
from pixano.inference.providers.pixano_inference import PixanoInferenceProvider  # noqa: E402 # ditto

#: What 0.7.2 calls it -> what 0.8.0 does.
NAMES = {
    "segmentation": "image_mask_generation",
    "tracking": "video_mask_generation",
    "submit_tracking_job": "submit_video_mask_generation_job",
    "get_tracking_job": "get_video_mask_generation_job",
    "cancel_tracking_job": "cancel_video_mask_generation_job",
    "SegmentationInput": "ImageMaskGenerationInput",
    "TrackingInput": "VideoMaskGenerationInput",
}


def named(name):
    return name if OLD else NAMES.get(name, name)


def segment(image):
    return getattr(wire, named("SegmentationInput"))(
        image=image,
        model="mask-generation",
        points=POINTS,
        labels=LABELS,
        return_image_embedding=True,
        return_logits=True,
    )


def follow(video, **fields):
    return getattr(wire, named("TrackingInput"))(
        video=video,
        model="video-mask-generation",
        **{"objects_ids": [3], "frame_indexes": [0], "boxes": BOXES, **fields},
    )


def masks(result):
    return {
        "status": result.status,
        "masks": [[encoded(mask) for mask in prompt] for prompt in result.data.masks],
        "scores": result.data.scores.values,
        "shape": result.data.scores.shape,
        "year": result.timestamp.year,
        "metadata": result.metadata,
    }


def tracked(data):
    return {
        "objects_ids": data.objects_ids,
        "frame_indexes": data.frame_indexes,
        "masks": [encoded(mask) for mask in data.masks],
    }


async def main():
    provider = await PixanoInferenceProvider.connect(f"{URL}/pixano")
    told("connect", provider.name)
    models = await provider.list_models()
    kind = "capability" if OLD else "task"
    told("list_models", {model.name: getattr(model, kind) for model in models})
    task = wire.InferenceTask("detection")
    told("list_models(task)", [model.name for model in await provider.list_models(task)])
    info = await provider.get_server_info()
    told("get_server_info", vars(info))
    await asyncio.gather(inference(provider), jobs(provider))
    if OLD:
        told("get_capabilities", (await provider.get_capabilities()).supports_batching)
        await refused(provider)
    try:
        await provider.detection(detect(model="nobody"))
    except InferenceError as error:
        told("an unknown model", failure(error))
    await provider.close()


def detect(**fields):
    given = {"model": "zero-shot-object-detection", "classes": CLASSES, **fields}
    return wire.DetectionInput(image=TEXTS[0], box_threshold=0.0, **given)


async def inference(provider):
    for suffix, image, video in (("", TEXTS[0], TEXTS), (" of bytes", FRAMES[0], FRAMES)):
        name = named("segmentation")
        told(f"{name}{suffix}", masks(await getattr(provider, name)(segment(image))))
        name = named("tracking")
        told(f"{name}{suffix}", tracked((await getattr(provider, name)(follow(video))).data))
    name = named("tracking")
    # Flat keyframes, as Pixano's own server makes them of what its page sends.
    points = [{"x": 32, "y": 24, "label": 1}]
    keyframe = {"frame_index": 1, "points": points, "box": None, "mask": None}
    interval = {"start_frame": 1, "end_frame": 2, "direction": "forward"}
    given = follow(TEXTS, boxes=None, frame_indexes=[1], keyframes=[keyframe], interval=interval)
    told(f"{name} of keyframes", tracked((await getattr(provider, name)(given)).data))
    told("detection", vars((await provider.detection(detect())).data))
    asked = wire.VLMInput(
        model="image-text-to-text", prompt=PROMPT, images=[TEXTS[0]], max_new_tokens=8
    )
    written = (await provider.vlm(asked)).data
    told("vlm", {"generated_text": written.generated_text, "usage": vars(written.usage)})
    if not OLD:
        asked = wire.EmbeddingInput(model="embedding", text="a boat")
        told("embedding", (await provider.embedding(asked)).data.embedding.values)


async def jobs(provider):
    submit, get, cancel = (
        getattr(provider, named(f"{verb}_tracking_job")) for verb in ("submit", "get", "cancel")
    )
    job = await submit(follow(TEXTS))
    while (now := await get(job.job_id)).status == "running":  # noqa: ASYNC110 # theirs to poll
        await asyncio.sleep(0.05)
    value = {"first": job.status, "last": now.status, **tracked(now.data)}
    told(named("submit_tracking_job"), value)
    waiting = await asyncio.gather(*(submit(follow(TEXTS)) for _ in range(AHEAD)))
    told(named("cancel_tracking_job"), (await cancel(waiting[-1].job_id)).status)
    told(named("get_tracking_job"), (await get(waiting[-1].job_id)).status)
    for other in waiting:
        await cancel(other.job_id)


async def refused(provider):
    try:
        await provider.delete_model("mask-generation")
    except InferenceError as error:
        told("delete_model", failure(error))


asyncio.run(main())
