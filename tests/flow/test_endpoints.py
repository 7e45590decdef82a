"""Models of one fleet that another fleet serves, over each protocol that both speak."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol.errors import InvalidRequest, RowError, WherryError
from wherry.tasks.audio.automatic_speech_recognition import AutomaticSpeechRecognitionInput
from wherry.tasks.base import TaskInput
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput
from wherry.tasks.samples import PCM, PNG, SAMPLE_RATE
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.text.text_classification import TextClassificationInput
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.tasks.vision.image_classification import ImageClassificationInput
from wherry.tasks.vision.object_detection import ObjectDetectionInput

from ..support.models import model
from ..support.waiting import until

KEY = "wh-not-to-be-told-0123456789"

#: What the remote fleet serves, with the stub.
THEIRS = (
    model("image-classification", max_batch_size=8, raise_on="RAISE", reject_on="REJECT")
    + model("object-detection")
    + model("embedding", reject_on="REJECT")
    + model("text-classification")
    + model("chat", words=20, delay_per_token_s=0.01)
    + model("text-generation", words=20, delay_per_token_s=0.01)
    + model("image-text-to-text")
    + model("automatic-speech-recognition")
)

#: protocol -> what it is asked here, and how the remote's URL goes on.
ASKED = {
    "oip": (("image-classification", "object-detection", "embedding", "chat"), ""),
    "oip-grpc": (("image-classification", "object-detection", "embedding", "chat"), ""),
    "openai": (
        (
            "embedding",
            "chat",
            "text-generation",
            "image-text-to-text",
            "automatic-speech-recognition",
        ),
        "/v1",
    ),
    "huggingface": (("image-classification", "object-detection", "text-classification"), ""),
}

INPUTS: dict[str, list[TaskInput]] = {
    "image-classification": [
        ImageClassificationInput(images=[b"%d" % number for number in range(20)], top_k=3),
        ImageClassificationInput(images=[b"one"], top_k=1),
    ],
    "object-detection": [ObjectDetectionInput(images=[b"a", b"b", b"c"], threshold=0.25)],
    "embedding": [EmbeddingInput(texts=["a pier", "ein Kai ü", "港"])],
    "text-classification": [TextClassificationInput(texts=["calm", "storm"])],
    "chat": [ChatInput(messages=[[{"role": "user", "content": text}] for text in "abc"])],
    "text-generation": [
        TextGenerationInput(texts=["a", "b"]),
        TextGenerationInput(texts=["a"], seed=7, stop=["never"], max_new_tokens=32),
    ],
    "image-text-to-text": [ImageTextToTextInput(images=[PNG, PNG], texts=["what", "where"])],
    "automatic-speech-recognition": [
        AutomaticSpeechRecognitionInput(
            audio=[PCM, PCM], sample_rate=SAMPLE_RATE, return_timestamps=True
        )
    ],
}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("remote")
    (folder / "models.toml").write_text(THEIRS)
    with Stack(models=folder / "models.toml", data_dir=folder, flower=False, grpc_port=0) as remote:
        yield remote


def declared(remote: Stack) -> str:
    """A model for each protocol and task, named after both."""
    told = ""
    for protocol, (tasks, path) in ASKED.items():
        at = f"http://{remote.grpc_url}" if protocol == "oip-grpc" else remote.url + path
        for task in tasks:
            told += model(
                f"{protocol}.{task}",
                task,
                backend="endpoint",
                source=at,
                protocol=protocol,
                model=task,
                key_env="ENDPOINT_KEY",
            )
    return told


@pytest.fixture(scope="module")
def near(remote: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The fleet that asks."""
    folder: Path = tmp_path_factory.mktemp("near")
    models = folder / "models.toml"
    models.write_text(declared(remote) + model("chat"))
    env = {
        "WHERRY_ENDPOINT_HOSTS": "127.0.0.1:*",
        "WHERRY_ENDPOINT_SCHEMES": "http",
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
        "ENDPOINT_KEY": KEY,
    }
    lines: list[str] = []
    with Stack(
        models=models,
        data_dir=folder,
        flower=False,
        env=env,
        log_level="info",
        log=lambda service, line: lines.append(line),
    ) as near:
        assert not near.failed_models
        yield near
    assert not [line for line in lines if KEY in line], "no log has the key"


@pytest.fixture
def client(near: Stack) -> Iterator[Client]:
    with Client(near.url) as client:
        yield client


@pytest.fixture
def theirs(remote: Stack) -> Iterator[Client]:
    with Client(remote.url) as client:
        yield client


@pytest.mark.parametrize(
    ("protocol", "task"),
    [(protocol, task) for protocol, (tasks, _) in ASKED.items() for task in tasks],
)
def test_an_answer_is_the_remotes_own(
    client: Client, theirs: Client, protocol: str, task: str
) -> None:
    for inputs in INPUTS[task]:
        far = theirs.infer(task, inputs, 60).model_dump()
        near = client.infer(f"{protocol}.{task}", inputs, 60).model_dump()
        if protocol == "huggingface" or task == "embedding":
            assert pytest.approx(_numbers(far), abs=1e-5) == _numbers(near)
        elif protocol == "openai" and "generations" in far:
            assert [row["text"] for row in near["generations"]] == [
                row["text"] for row in far["generations"]
            ]
        else:
            assert near == far


def _numbers(value: object) -> list[float]:
    """All numbers in an answer, in order."""
    if isinstance(value, float):
        return [value]
    inside = list(value.values()) if isinstance(value, dict) else value
    return [n for each in inside for n in _numbers(each)] if isinstance(inside, list) else []


@pytest.mark.parametrize("protocol", ["oip", "oip-grpc"])
def test_a_row_at_fault_fails_alone_in_the_servers_words(client: Client, protocol: str) -> None:
    name = f"{protocol}.image-classification"
    good = ImageClassificationInput(images=[b"good"])
    with pytest.raises(RowError, match="the endpoint answered .*reject this row"):
        client.infer(name, ImageClassificationInput(images=[b"REJECT"]), 60)
    answers = list(
        client.map(
            name, [good, ImageClassificationInput(images=[b"REJECT"]), good], return_errors=True
        )
    )
    assert [isinstance(answer, WherryError) for answer in answers] == [False, True, False]
    with pytest.raises(RowError, match=r"row 1: the endpoint answered .*reject"):
        client.infer(name, ImageClassificationInput(images=[b"a", b"REJECT", b"c"]), 60)


def test_the_prompt_is_put_before_the_text_where_that_is_asked(client: Client) -> None:
    for full in (False, True):
        asked = TextGenerationInput(texts=["A boat"], return_full_text=full)
        answer = client.infer("openai.text-generation", asked, 60)
        assert isinstance(answer, GenerationOutput)
        assert answer.generations[0].text.startswith("A boat") is full


def test_what_the_server_has_no_words_for_is_the_rows_error(client: Client) -> None:
    beams = ChatInput(messages=[[{"role": "user", "content": "hi"}]], num_beams=2)
    with pytest.raises(RowError, match="num_beams"):
        client.infer("openai.chat", beams, 60)


def pieces(url: str, name: str, text: str) -> list[dict[str, object]]:
    with httpx.stream(
        "POST", f"{url}/v2/models/{name}/generate_stream", json={"text_input": text}, timeout=60
    ) as response:
        said = [line for line in response.iter_lines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in said]


@pytest.mark.parametrize(
    "name", ["openai.chat", "openai.text-generation", "oip.chat", "oip-grpc.chat"]
)
def test_a_text_is_told_as_it_comes(near: Stack, client: Client, name: str) -> None:
    told = pieces(near.url, name, "a")
    assert len(told) > 5, "it came while it was written"
    whole = "".join(str(piece["text_output"]) for piece in told)
    task = name.partition(".")[2]
    [inputs, *_] = INPUTS[task]
    answer = client.infer(name, inputs, 60)
    assert isinstance(answer, GenerationOutput)
    assert whole == answer.generations[0].text
    assert told[-1]["finish_reason"] == "length"


@pytest.mark.parametrize("protocol", ["openai", "oip-grpc"])
def test_who_leaves_a_stream_ends_it_at_the_server_too(
    near: Stack, remote: Stack, protocol: str
) -> None:
    with httpx.Client(timeout=60) as http:
        path = f"{near.url}/v2/models/{protocol}.chat/generate_stream"
        asked = {"text_input": "leaving", "parameters": {"max_new_tokens": 4096}}
        with http.stream("POST", path, json=asked) as response:
            next(line for line in response.iter_lines() if line.startswith("data: "))
        newest = until(
            lambda: http.get(f"{remote.url}/v2/jobs", params={"model": "chat", "limit": 1}).json()[
                "jobs"
            ][0],
            lambda job: job["status"] in ("canceled", "succeeded"),
        )
    assert newest["status"] == "canceled"


def test_no_answer_of_the_fleet_tells_the_key(near: Stack, client: Client) -> None:
    told = [client.get("/v2/models/openai.chat"), client.models(), client.get("/v2/queues")]
    assert KEY not in json.dumps(told, default=str)
    [entry] = [each for each in client.models() if each["name"] == "openai.chat"]
    assert entry["state"] == "READY"
    assert entry["platform"] == "wherry_endpoint"
    assert "openai at 127.0.0.1" in json.dumps(client.get("/v2/models/openai.chat"))


def test_a_request_that_can_never_work_is_refused_before_it_leaves(client: Client) -> None:
    with pytest.raises(InvalidRequest):
        client.post("/v2/models/oip.embedding/infer", {"inputs": []})
