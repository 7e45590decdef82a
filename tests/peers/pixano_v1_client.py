"""Runs where pixano-inference-client is and Wherry is not: `pixano_v1_client.py URL DIR`.

0.1.0 has schemas of its own, 0.2.0 is another name for the client within pixano-inference 0.7.
"""

from __future__ import annotations

import asyncio
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # 0.2.0's, of itself

from pixano_inference_client import (  # noqa: E402 # after the filter
    DetectionRequest,
    EmbeddingRequest,
    NERRequest,
    PixanoInferenceClient,
    PixanoInferenceError,
    SegmentationRequest,
    SyncPixanoInferenceClient,
    TrackingBoxPrompt,
    TrackingKeyframeV1,
    TrackingPointPrompt,
    TrackingPrompts,
    TrackingRequestV1,
    VLMRequest,
)
from pixano_inference_client.v1 import DeployModelRequest  # noqa: E402 # as above
from pixano_shared import (  # noqa: E402 # as above
    AHEAD,
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

SEGMENT = SegmentationRequest(
    model="mask-generation", image=TEXTS[0], points=POINTS, labels=LABELS, return_logits=True
)
KEYFRAME = TrackingKeyframeV1(
    frame_index=1,
    prompts=TrackingPrompts(
        points=[TrackingPointPrompt(x=32, y=24, label=1)],
        box=TrackingBoxPrompt(x=16, y=8, width=32, height=32),
    ),
)
FOLLOW = TrackingRequestV1(
    model="video-mask-generation",
    video=TEXTS,
    objects_ids=[3],
    frame_indexes=[1],
    propagate=True,
    keyframes=[KEYFRAME],
)
TEXT = "My name is Clara and I live in Berkeley."


def masks(result):
    data = result.data
    return {
        "status": result.status,
        "masks": [[pixels(mask.to_mask()) for mask in prompt] for prompt in data.masks],
        "scores": data.scores.to_numpy().tolist(),
        "mask_logits": list(data.mask_logits.shape),
    }


def tracked(data):
    """0.1.0 has parallel lists, 0.2.0 frames."""
    if hasattr(data, "frames"):
        entries = [(f.frame_index, o) for f in data.frames for o in f.objects]
        return {
            "objects_ids": [o.track_id for _, o in entries],
            "frame_indexes": [index for index, _ in entries],
            "masks": [pixels(o.mask.to_mask()) for _, o in entries],
        }
    return {
        "objects_ids": data.objects_ids,
        "frame_indexes": data.frame_indexes,
        "masks": [pixels(mask.to_mask()) for mask in data.masks],
    }


def job_data(data):
    """A job's data, which 0.1.0 hands on as it came."""
    if isinstance(data, dict):
        return {name: data[name] for name in ("objectsIds", "frameIndexes")}
    entries = [(f.frame_index, o.track_id) for f in data.frames for o in f.objects]
    return {"objectsIds": [o for _, o in entries], "frameIndexes": [f for f, _ in entries]}


async def main():
    async with PixanoInferenceClient(f"{URL}/pixano", max_retries=0) as client:
        told("ready", (await client.ready())["ready"])
        told("health", await client.health())
        told("info", await client.info())
        models = await client.list_models()
        told("list_models", {m.name: [m.capability, m.status] for m in models})
        told("segmentation", masks(await client.segmentation(SEGMENT)))
        told("tracking", tracked((await client.tracking(FOLLOW)).data))
        await texts_and_boxes(client)
        await jobs(client)
        await deployment(client)
        request = SEGMENT.model_copy(update={"model": "nobody"})
        try:
            await client.segmentation(request)
        except PixanoInferenceError as error:
            told("an unknown model", {"status": error.status_code, "code": error.code})
        request = SEGMENT.model_copy(update={"model": "embedding"})
        try:
            await client.segmentation(request)
        except PixanoInferenceError as error:
            told("a model of another task", {"status": error.status_code, **failure(error)})
    with SyncPixanoInferenceClient(f"{URL}/pixano") as client:
        told("segmentation (synchronous client)", masks(client.segmentation(SEGMENT)))


async def texts_and_boxes(client):
    for call, model, classes in (
        ("detection", "zero-shot-object-detection", CLASSES),
        ("detection of a model's own classes", "object-detection", None),
    ):
        request = DetectionRequest(model=model, image=TEXTS[0], classes=classes, box_threshold=0.0)
        told(call, (await client.detection(request)).data.model_dump())
    request = VLMRequest(
        model="image-text-to-text", prompt=PROMPT, images=[TEXTS[0]], max_new_tokens=8
    )
    told("vlm", (await client.vlm(request)).data.model_dump())
    told(
        "ner",
        (await client.ner(NERRequest(model="token-classification", text=TEXT))).data.model_dump(),
    )
    for call, given in (
        ("embedding of texts", {"model": "embedding", "text": ["a boat", "a buoy"]}),
        ("embedding of an image", {"model": "image-feature-extraction", "image": TEXTS[0]}),
        (
            "embedding of an image as long as it is",
            {"model": "image-feature-extraction", "image": TEXTS, "normalize": False},
        ),
    ):
        data = (await client.embedding(EmbeddingRequest(**given))).data
        told(call, {"embeddings": data.embeddings.to_numpy().tolist(), "dim": data.dim})


async def jobs(client):
    job = await client.submit_tracking_job(FOLLOW)
    done = await client.wait_for_job(job.job_id, poll_interval=0.05, timeout=60)
    told("submit_tracking_job", {"first": job.status, "last": done.status, **job_data(done.data)})
    told("get_job", (await client.get_job(job.job_id)).status)
    waiting = await asyncio.gather(*(client.submit_tracking_job(FOLLOW) for _ in range(AHEAD)))
    told("cancel_job", (await client.cancel_job(waiting[-1].job_id)).status)
    for other in waiting:
        await client.cancel_job(other.job_id)


async def deployment(client):
    async def names():
        return [model.name for model in await client.list_models()]

    answer = await client.undeploy_model("token-classification")
    told("undeploy_model", {"answer": answer, "models": await names()})
    request = DeployModelRequest(name="token-classification", model_class="Ner")
    deployed = await client.deploy_model(request)
    told("deploy_model", {"capability": deployed.capability, "models": await names()})


asyncio.run(main())
