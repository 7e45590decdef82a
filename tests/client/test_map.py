"""`map`: order, bounded memory, errors in their place, leaving early, taking up again."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest

from wherry.client import Client, mapping
from wherry.client.operations import Input
from wherry.protocol import errors, v2
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.vision.image_classification import ImageClassificationOutput

from .conftest import BODY_LIMIT, classify, embed, vector
from .proxy import Answer, Fate, Lose, Proxy, Seen, full


def test_order_holds_and_no_more_than_in_flight_are_taken(client: Client) -> None:
    taken = 0
    ahead: list[int] = []

    def source() -> Iterator[EmbeddingInput]:
        nonlocal taken
        for number in range(300):
            taken += 1
            yield embed(f"text {number}")

    answers: list[list[float]] = []
    for answer in client.map("embedding", source(), in_flight=70):
        ahead.append(taken - len(answers))
        answers.append(vector(answer))
    assert max(ahead) == 70
    together = client.infer("embedding", embed(*[f"text {n}" for n in range(300)]))
    assert isinstance(together, EmbeddingOutput)
    assert np.allclose(answers, together.embeddings)


def test_nothing_is_done_before_the_first_answer_is_asked_for(
    client: Client, submitted: Callable[[], int]
) -> None:
    before = submitted()
    client.map("embedding", [embed("a")])
    assert list(client.map("embedding", [])) == []
    assert submitted() == before


@pytest.mark.parametrize("in_flight", [0, -1])
def test_room_for_none_in_flight_is_refused(in_flight: int, client: Client) -> None:
    with pytest.raises(ValueError, match="in_flight"):
        client.map("embedding", [embed("a")], in_flight=in_flight)


@pytest.mark.parametrize("wrong", [None, "text"])
def test_an_input_that_is_none_is_a_type_error_and_no_silent_end(
    wrong: object, client: Client
) -> None:
    inputs: list[Input] = [embed("a"), wrong, embed("b")]  # type: ignore[list-item] # wrong on purpose
    with pytest.raises(TypeError, match="Input"):
        list(client.map("embedding", inputs))


def test_what_the_source_raises_comes_after_the_answers_before_it(client: Client) -> None:
    def source() -> Iterator[EmbeddingInput]:
        yield embed("a")
        yield embed("b")
        raise LookupError("the folder is gone")

    answers = client.map("embedding", source())
    assert len([vector(next(answers)), vector(next(answers))]) == 2
    with pytest.raises(LookupError, match="the folder is gone"):
        next(answers)


def test_a_slow_source_does_not_hold_back_what_is_at_hand(
    shaky: Client, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "_GATHER_S", 0.0)  # every source is slow now
    sent = []

    def source() -> Iterator[EmbeddingInput]:
        for number in range(4):
            sent.append(len(proxy.asked("jobs:batch")))
            yield embed(f"text {number}")

    assert len(list(shaky.map("embedding", source()))) == 4
    assert sent == [0, 1, 2, 3]
    waits = [json.loads(seen.body)["wait"] for seen in proxy.asked("jobs:status")]
    assert waits[:4] == [0] * 4, "nor does an answer hold back the next input"


def test_errors_are_values_in_their_place_or_raised(client: Client) -> None:
    inputs = [classify(b"a"), classify(b"REJECT"), classify(b"c")]
    first, second, third = client.map("image-classification", inputs, return_errors=True)
    assert isinstance(first, ImageClassificationOutput)
    assert isinstance(second, errors.RowError)
    assert isinstance(third, ImageClassificationOutput)
    answers = client.map("image-classification", inputs)
    assert next(answers) == first
    with pytest.raises(errors.RowError):
        next(answers)
    assert list(answers) == [], "a generator that raised has ended"


def test_a_refused_input_stops_no_other(client: Client) -> None:
    answers = list(client.map("nobody", [embed("a"), embed("b")], return_errors=True))
    assert [type(answer) for answer in answers] == [errors.ModelNotFound] * 2


def test_two_inputs_of_one_id_have_one_answer_each(
    client: Client, submitted: Callable[[], int]
) -> None:
    before = submitted()
    request = embed("same").to_inference_request()
    request.id = str(uuid.uuid4())
    first, second = client.map("embedding", [request, request])
    assert first == second
    assert submitted() == before + 1


def test_what_is_too_large_together_goes_alone_and_what_is_too_large_alone_is_an_error(
    client: Client,
) -> None:
    large, too_large = b"a" * (BODY_LIMIT // 4), b"b" * (BODY_LIMIT + 1)
    inputs = [classify(large + b"%d" % number) for number in range(8)]
    inputs.insert(3, classify(too_large))
    answers = list(client.map("image-classification", inputs, return_errors=True))
    kinds = [ImageClassificationOutput] * 8
    assert [type(a) for a in answers] == [*kinds[:3], errors.PayloadTooLarge, *kinds[3:]]


def test_an_input_over_a_chunks_size_goes_in_binary(
    shaky: Client, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "_CHUNK_BYTES", 1000)
    images = [b"a" * 600, b"b" * 600, b"c" * 5000, b"d" * 100, b"e" * 100]
    assert len(list(shaky.map("image-classification", map(classify, images)))) == 5
    assert len(proxy.asked("jobs:batch")) == 3, "a, b, and d with e"
    assert len(proxy.asked("/image-classification/jobs")) == 1


def old(seen: Seen) -> Fate:
    """What a server says that knows no raw tensors behind many jobs."""
    names = {name.lower() for name in seen.headers}
    if "jobs:batch" in seen.path and "inference-header-content-length" in names:
        return Answer(400, {"error": "not JSON", "error_type": "invalid_request"})
    if "jobs:status" in seen.path:
        kept = {k: v for k, v in seen.headers.items() if k.lower() not in ("accept", "prefer")}
        return Seen(seen.method, seen.path, kept, seen.body)
    return None


def test_a_server_that_says_nothing_of_raw_tensors_is_sent_json(
    shaky: Client, proxy: Proxy
) -> None:
    def older(seen: Seen) -> Fate:
        plain = Answer(200, {"name": "wherry", "version": "0", "extensions": ["async_jobs"]})
        return plain if seen.path == "/v2" else old(seen)

    proxy.rule = older
    answers = list(shaky.map("image-classification", map(classify, [b"a", b"b"])))
    assert all(isinstance(answer, ImageClassificationOutput) for answer in answers)
    assert all(json.loads(seen.body)["jobs"] for seen in proxy.asked("jobs:batch"))


def test_a_fleet_of_which_half_is_older_is_sent_json_where_need_be(
    shaky: Client, proxy: Proxy, submitted: Callable[[], int]
) -> None:
    before = submitted()
    proxy.rule = old  # the metadata came from a newer server
    assert len(list(shaky.map("image-classification", map(classify, [b"a", b"b", b"c"])))) == 3
    assert submitted() == before + 3
    assert not proxy.asked("/image-classification/jobs"), "nor does each go alone"


def test_a_lost_chunk_is_sent_again_as_the_same_jobs(
    shaky: Client, proxy: Proxy, submitted: Callable[[], int]
) -> None:
    before = submitted()
    proxy.once("jobs:batch", Lose())
    assert len(list(shaky.map("embedding", [embed(f"{n}") for n in range(20)]))) == 20
    assert submitted() == before + 20


def entries(seen: Seen) -> list[object]:
    """The jobs of a chunk, less their raw tensors."""
    names = {name.lower(): value for name, value in seen.headers.items()}
    length = names.get("inference-header-content-length")
    found: list[object] = json.loads(seen.body[: int(length)] if length else seen.body)["jobs"]
    return found


def refuse(seen: Seen) -> Fate:
    """Refuse each job of a chunk, as a full queue does."""
    if "jobs:batch" not in seen.path:
        return None
    count = len(entries(seen))
    refusal = {"status_code": 503, "error": "the queue is full", "error_type": "queue_full"}
    return Answer(200, {"jobs": [{"index": n, **refusal} for n in range(count)]})


def test_a_queue_that_is_full_at_first_is_offered_the_same_again(
    shaky: Client, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "POLL_EVERY_S", 0.0)
    monkeypatch.setattr(mapping, "_GATHER_S", 60.0)  # both in one chunk, however slow the machine
    calls: list[Seen] = []

    def at_first(seen: Seen) -> Fate:
        refused = refuse(seen)
        calls.extend([seen] if refused else [])
        return refused if len(calls) == 1 else None

    proxy.rule = at_first
    assert len(list(shaky.map("embedding", [embed("a"), embed("b")]))) == 2
    first, second = map(entries, proxy.asked("jobs:batch"))
    assert first == second


def test_a_queue_that_stays_full_is_an_error_after_the_patience(proxy: Proxy) -> None:
    proxy.rule = refuse
    with (
        Client(proxy.url, patience_s=0) as client,
        pytest.raises(errors.QueueFull, match="the queue is full"),
    ):
        list(client.map("embedding", [embed("a")], return_errors=True))


def test_a_server_that_goes_away_ends_the_map(proxy: Proxy) -> None:
    proxy.rule = lambda seen: full(9) if "jobs:status" in seen.path else None
    with (
        Client(proxy.url, patience_s=0.1) as client,
        pytest.raises(errors.Unavailable),
    ):
        list(client.map("embedding", [embed("a")], return_errors=True))


def test_an_answer_that_json_cannot_carry_is_read_in_binary(shaky: Client, proxy: Proxy) -> None:
    def without_result(seen: Seen) -> Fate:
        if "jobs:status" not in seen.path:
            return None
        views = proxy.forward(seen)
        document = json.loads(views.body)
        for view in document["jobs"]:
            if view.pop("result", None):
                view |= {"error": "NaN has no JSON form", "error_type": "invalid_tensor"}
        return Answer(200, document)

    proxy.rule = without_result
    [answer] = shaky.map("embedding", [embed("nan")])
    assert len(vector(answer)) == 8
    assert len(proxy.asked("/result")) == 1


def test_a_server_that_holds_no_poll_is_not_asked_all_the_time(shaky: Client, proxy: Proxy) -> None:
    def at_once(seen: Seen) -> Fate:
        if "jobs:status" not in seen.path:
            return None
        body = json.dumps({**json.loads(seen.body), "wait": 0}).encode()
        headers = {**seen.headers, "Content-Length": str(len(body))}
        return Seen(seen.method, seen.path, headers, body)

    proxy.rule = at_once
    assert len(list(shaky.map("slow", [classify(b"1"), classify(b"2")]))) == 2
    assert len(proxy.asked("jobs:status")) <= 4


def statuses(client: Client, url: str, model: str) -> list[JobState]:
    """How the model's jobs ended, newest first."""
    jobs = httpx.get(f"{url}/v2/jobs", params={"model": model, "limit": 12}).json()["jobs"]
    return [client.wait(job["id"], 30).status for job in jobs]


@pytest.mark.parametrize("way", ["closed", "forgotten", "failed"])
def test_leaving_early_cancels_what_nobody_will_read(way: str, client: Client) -> None:
    inputs = [classify(b"%d" % number) for number in range(12)]
    if way == "closed":
        with contextlib.closing(client.map("slow", inputs)) as answers:
            next(answers)
    elif way == "forgotten":
        for _ in client.map("slow", inputs):
            break
    else:

        def source() -> Iterator[Input]:
            yield from inputs
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(client.map("slow", source(), in_flight=12))
    found = statuses(client, client.url, "slow")
    assert found.count(JobState.CANCELED) >= 6


def test_a_map_under_a_name_goes_on_without_us_and_can_be_taken_up_again(
    client: Client, submitted: Callable[[], int]
) -> None:
    prefix = f"{uuid.uuid4()}/"
    inputs = [classify(b"%d" % number) for number in range(4)]
    with contextlib.closing(client.map("slow", inputs, id_prefix=prefix)) as answers:
        first = next(answers)
    before = submitted()
    again = list(client.map("slow", inputs, id_prefix=prefix))
    assert (len(again), again[0]) == (4, first)
    assert submitted() == before, "the same jobs"
    assert client.status(f"{prefix}3").status is JobState.SUCCEEDED
    changed = client.map("slow", [classify(b"other")], id_prefix=prefix, return_errors=True)
    assert isinstance(next(changed), errors.Conflict)


def test_a_map_that_outlives_its_client_ends_quietly(client: Client, proxy: Proxy) -> None:
    with Client(proxy.url) as shaky:
        answers = shaky.map("slow", [classify(b"x"), classify(b"y")])
        next(answers)
    answers.close()
    [last] = statuses(client, client.url, "slow")[:1]
    assert last is JobState.SUCCEEDED


def test_plain_requests_have_plain_answers(client: Client) -> None:
    [answer] = client.map("embedding", [embed("a").to_inference_request()])
    assert isinstance(answer, v2.InferenceResponse)
    assert answer.output("embedding").shape == [1, 8]
