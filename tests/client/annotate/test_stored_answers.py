"""What jobs answered, kept a job at a time and read a row at a time."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path

import pytest

from wherry.client.annotate import stored_answers
from wherry.client.annotate.ledger import EARLIER_HASH, HASH, KEY_BYTES, KeptAnswer, Ledger
from wherry.client.annotate.packing import Packer
from wherry.client.annotate.rows import Origin
from wherry.client.annotate.stored_answers import StoredAnswers, pack_answers, read_answers
from wherry.protocol import codec, v2
from wherry.protocol.errors import InvalidRequest, WherryError
from wherry.protocol.parameters import warnings
from wherry.tasks.base import TaskOutput
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.text.embedding import EmbeddingOutput

EMBED = get_task("embedding")


def embedded(*numbers: float) -> v2.InferenceResponse:
    return EmbeddingOutput(embeddings=[[number, 0.1] for number in numbers]).response("m")


def first(output: TaskOutput) -> float:
    assert isinstance(output, EmbeddingOutput)
    return output.embeddings[0][0]


def key(number: int) -> bytes:
    return number.to_bytes(KEY_BYTES, "big")


@pytest.mark.parametrize("name", task_names())
def test_answers_of_every_task_are_kept_whole(name: str) -> None:
    task = get_task(name)
    whole = task.output.join([row for _ in range(3) for row in task.example.output.rows()])
    again = read_answers(task, pack_answers(task, whole.response("m"), len(whole.rows())))
    expected = [row.model_dump() for row in whole.rows()]
    assert [row.model_dump() for row in again] == expected


def test_an_answer_is_kept_alike_in_whichever_form_it_came() -> None:
    """What JSON tells in 64 bits is no more exact than raw data: a run's bytes are the same."""
    plain, length = codec.encode_response(embedded(0.3))
    raw, raw_length = codec.encode_response(embedded(0.3), binary=True)
    forms = (codec.decode_response(plain, length), codec.decode_response(raw, raw_length))
    one, other = (read_answers(EMBED, pack_answers(EMBED, form, 1)) for form in forms)
    assert one == other


def test_each_row_has_its_own_warning() -> None:
    response = embedded(1, 2, 3)
    response.parameters = warnings(["unknown parameter"], {1: "cut"}, 3)
    rows = read_answers(EMBED, pack_answers(EMBED, response, 3))
    assert [row.warning for row in rows] == ["", "cut", ""]


def test_answers_of_other_rows_than_were_sent_are_refused() -> None:
    with pytest.raises(WherryError, match="answered 2 of 3 rows"):
        pack_answers(EMBED, embedded(1, 2), 3)
    response = embedded(1)
    with pytest.raises(InvalidRequest, match="'embedding' is missing"):
        pack_answers(EMBED, response.model_copy(update={"outputs": []}), 1)


def test_blocks_are_read_once_and_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_answers, "_HELD", 2)
    with Ledger(tmp_path / "ledger") as ledger:
        for job in range(4):
            body = pack_answers(EMBED, embedded(job, job + 0.5), 2)
            ledger.keep(body, [key(2 * job), key(2 * job + 1)])
        read: list[int] = []
        block = ledger.block

        def noted(number: int) -> bytes:
            read.append(number)
            return block(number)

        monkeypatch.setattr(ledger, "block", noted)
        answers = StoredAnswers(ledger, EMBED)
        found = [first(answers.read(KeptAnswer(b, p))) for b in (1, 2, 3, 4) for p in (0, 1)]
        assert found == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]
        assert read == [1, 2, 3, 4]
        assert first(answers.read(KeptAnswer(1, 1))) == 0.5
        assert read == [1, 2, 3, 4, 1], "two are held"


def test_a_ledger_of_an_earlier_version_has_an_answer_a_row(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        ledger.place(0, "old", "", key(1), None)
        ledger.place(1, "new", "", key(2), None)
        ledger.keep(pack_answers(EMBED, embedded(2), 1), [key(2)])
    before = sqlite3.connect(path)
    body, length = codec.encode_response(embedded(1), binary=True)
    alone = zlib.compress(b"%d\n%s" % (length or 0, body))
    before.execute("INSERT INTO answers VALUES (?, ?)", (key(1), alone))
    before.commit()
    before.close()
    with Ledger(path) as ledger:
        assert ledger.done([key(1), key(2), key(3)]) == {key(1), key(2)}
        answers = StoredAnswers(ledger, EMBED)
        found = [first(answers.read(row.answer)) for row in ledger.placed() if row.answer]
        assert found == [1, 2]
        ledger.begin(reuse=True)
        assert ledger.hash_name == HASH, "it had keys of its own already"
        ledger.finish()
    with Ledger(path) as ledger:
        ledger.begin(reuse=False)
        assert not ledger.done([key(1), key(2)])


def test_a_ledger_goes_on_with_the_keys_that_it_has(tmp_path: Path) -> None:
    """Those of an earlier version, which says nothing, are of another hash."""
    row = {"texts": "a"}
    origin = Origin(EMBED, "m", "1", {}, "here")
    earlier, now = (Packer(origin, name).key(row) for name in (EARLIER_HASH, HASH))
    assert (len(earlier), len(now), earlier != now) == (KEY_BYTES, KEY_BYTES, True)
    assert earlier.hex() == "ea160c9b51d4a1b2ddfbebe9578ad235"
    path = tmp_path / "ledger"
    with Ledger(path) as ledger:
        ledger.fail(earlier, "no", "invalid_row")
    for _ in range(2):
        with Ledger(path) as ledger:
            ledger.begin(reuse=True)
            assert ledger.hash_name == EARLIER_HASH
            assert ledger.done([Packer(origin, ledger.hash_name).key(row)]) == {earlier}
    with Ledger(tmp_path / "new") as ledger:
        ledger.begin(reuse=True)
        assert ledger.hash_name == HASH


def test_models_are_made_once_somebody_asks_for_them(tmp_path: Path) -> None:
    task = get_task("text-classification")
    example = task.example.output.rows()[0]
    together = task.output.join([example, task.output.empty()]).response("m")
    together.parameters = warnings([], {1: "cut"}, 2)
    with Ledger(tmp_path / "ledger") as ledger:
        ledger.begin(reuse=True)
        ledger.place(0, "a", "/a", key(0), (3, 4))
        ledger.place(1, "b", "", key(1), None)
        ledger.keep(pack_answers(task, together, 2), [key(0), key(1)])
        answers = StoredAnswers(ledger, task)
        one, other = (
            answers.annotation(row, row.answer) for row in ledger.placed(10) if row.answer
        )
        assert (one.index, one.id, one.path, one.size, one.warning) == (10, "a", "/a", (3, 4), "")
        assert (other.index, other.items, other.warning) == (11, ([], []), "cut")
        assert one.items == (["calm", "storm"], [0.75, 0.25])
        assert (one.output, other.output.warning) == (example, "cut")
        assert other.output.model_dump() == task.output.empty().model_dump()
        [again, _] = ledger.placed()
        assert again.answer
        assert answers.annotation(again, again.answer).items is None, "models are there already"
        assert answers.annotation(again, again.answer).output == example
