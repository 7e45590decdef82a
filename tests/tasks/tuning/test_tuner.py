from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.tuning import identity as identities
from wherry.tasks.tuning import tuner as module
from wherry.tasks.tuning.candidates import Contender
from wherry.tasks.tuning.identity import digest, export_identity, identity
from wherry.tasks.tuning.process import Noted, TrialLog
from wherry.tasks.tuning.shelf import Shelf
from wherry.tasks.tuning.trial import TIMING, TrialPlan
from wherry.tasks.tuning.tuner import Bounds, Tuner, sizes
from wherry.tasks.tuning.verdict import Verdict

MODEL = ModelDeclaration(name="m", task="text-generation", max_batch_size=2)


def stub(remark: str, **parameters: object) -> Contender:
    return Contender(backend="stub", parameters=parameters, source="own", remark=remark)


OWN = stub("", delay_per_row_s=0.004)

#: Each but the last has something wrong.
OTHERS = (
    stub("slow", delay_per_row_s=0.008),
    stub("dies", crash_on="london"),
    stub("raises", raise_on="london"),
    stub("rejects", reject_on="london"),
    stub("says else", words=3),
    stub("lacks memory", fits_rows=2),
    stub("good"),
)


def tuner(folder: Path, *others: Contender, budget_s: float = 60.0) -> Tuner:
    def candidates(_: ModelDeclaration, __: str) -> Sequence[Contender]:
        return [OWN, *others]

    bounds = Bounds(budget_s=budget_s)
    return Tuner(folder, Device(), "cpu, 8 GiB", bounds=bounds, candidates=candidates)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "exports" / "that no verdict needs").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def verdict(folder: Path) -> Verdict:
    return tuner(folder, *OTHERS).verdict(MODEL)


@pytest.fixture
def nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> TrialLog:
        raise AssertionError("something is tried")

    monkeypatch.setattr(module, "try_all", fail)


def nothing_seen(plan: TrialPlan, **_: object) -> TrialLog:
    return TrialLog(plan.candidates, is_done=True)


@pytest.mark.parametrize(
    ("remark", "said"),
    [
        ("dies", "its process was ended by SIGSEGV"),
        ("raises", "RuntimeError: the stub was asked to raise"),
        ("rejects", "it says RowError"),
        ("says else", "generations"),
        ("lacks memory", "OutOfMemory"),
        ("slow", ""),
        ("good", ""),
    ],
)
def test_what_answers_otherwise_or_fails_is_refused_and_named(
    verdict: Verdict, remark: str, said: str
) -> None:
    (tried,) = (each for each in verdict.tried if each.candidate.remark == remark)
    assert said in tried.refused
    assert bool(tried.rows_per_s) == bool(not said)


def test_the_fastest_of_the_others_is_chosen_and_the_model_served_by_it(
    verdict: Verdict, folder: Path
) -> None:
    assert verdict.chosen.remark == "good"
    assert "times as fast as stub float32 at 2 rows" in verdict.why
    served = tuner(folder, *OTHERS).served_as(MODEL, verdict)
    assert (served.backend, served.source, served.name) == ("stub", "own", "m")


@pytest.mark.usefixtures("nothing_is_tried")
def test_a_second_start_tunes_nothing(verdict: Verdict, folder: Path) -> None:
    assert tuner(folder, *OTHERS).verdict(MODEL) == verdict
    batches = MODEL.model_copy(update={"max_queue_delay_microseconds": 9})
    assert tuner(folder, *OTHERS).verdict(batches) == verdict


@pytest.mark.usefixtures("verdict")
@pytest.mark.parametrize(
    "changed",
    [
        {"max_batch_size": 3},
        {"precision": "fast"},
        {"tolerance": 0.5},
        {"parameters": {"words": 2}},
        {"source": "elsewhere"},
    ],
)
def test_a_verdict_holds_for_what_it_was_made_for(
    folder: Path, changed: dict[str, object], monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    monkeypatch.setattr(
        module, "try_all", lambda plan, **_: TrialLog(plan.candidates, is_done=True)
    )
    other = tuner(folder, *OTHERS).verdict(MODEL.model_copy(update=changed))
    assert other != verdict
    assert other.chosen == OWN


@pytest.mark.parametrize("size", [4000, 4_000_000])
def test_weights_trained_anew_are_others_whatever_their_size_and_time(
    tmp_path: Path, size: int
) -> None:
    declared = MODEL.model_copy(update={"source": str(tmp_path)})
    file, found = tmp_path / "model.safetensors", list[str]()
    for value in (b"a", b"b"):
        file.write_bytes(b"head" + value * size)
        os.utime(file, (1, 1))
        found += [digest(identity(declared, "cpu")), digest(export_identity(declared))]
    assert len(set(found)) == 4


@pytest.mark.usefixtures("verdict")
def test_exports_that_no_verdict_needs_are_removed(folder: Path) -> None:
    assert list((folder / "exports").iterdir()) == []
    assert not list((folder / "verdicts").glob("*.trying"))


@pytest.mark.parametrize("broken", ["", "{", '{"format": 1}', '{"format": 99}', "[]"])
def test_a_broken_verdict_is_made_anew(
    tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "try_all", lambda plan, **_: TrialLog(plan.candidates, is_done=True)
    )
    made = tuner(tmp_path, stub("good")).verdict(MODEL)
    (file,) = (tmp_path / "verdicts").glob("*.json")
    whole = file.read_text()
    file.write_text(broken)
    assert tuner(tmp_path, stub("good")).verdict(MODEL).why == made.why
    assert json.loads(file.read_text())["format"] == json.loads(whole)["format"]


def test_what_was_tried_when_a_worker_died_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(plan: TrialPlan, *, noted: Noted) -> TrialLog:
        noted(plan.candidates[0].name)
        noted(plan.candidates[1].name)
        os._exit(1)

    if (child := os.fork()) == 0:
        try:
            monkeypatch.setattr(module, "try_all", killed)
            tuner(tmp_path, stub("dies"), stub("good")).verdict(MODEL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)  # not another's that ends just now
    verdict = tuner(tmp_path, stub("dies"), stub("good")).verdict(MODEL)
    assert verdict.chosen.remark == "good"
    assert "the process of a worker ended while it was tried" in verdict.tried[1].refused
    assert tuner(tmp_path, stub("dies"), stub("good")).verdict(MODEL) == verdict


def test_what_a_killed_worker_was_at_is_tried_again_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(plan: TrialPlan, *, noted: Noted) -> TrialLog:
        noted(TIMING)
        os._exit(1)

    if (child := os.fork()) == 0:
        try:
            monkeypatch.setattr(module, "try_all", killed)
            tuner(tmp_path, stub("good")).verdict(MODEL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)  # not another's that ends just now
    verdict = tuner(tmp_path, stub("good")).verdict(MODEL)
    assert (verdict.is_trouble, verdict.chosen.remark) == (True, "")
    monkeypatch.setattr(module, "_TROUBLE_S", -1)
    verdict = tuner(tmp_path, stub("good")).verdict(MODEL)
    assert (verdict.is_trouble, verdict.chosen.remark) == (False, "good")


def test_a_worker_that_is_told_to_stop_blames_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(plan: TrialPlan, *, noted: Noted) -> TrialLog:
        noted(plan.candidates[1].name)
        raise SystemExit(0)

    monkeypatch.setattr(module, "try_all", stopped)
    with pytest.raises(SystemExit):
        tuner(tmp_path, stub("good")).verdict(MODEL)
    (note,) = (tmp_path / "verdicts").glob("*.trying")
    assert json.loads(note.read_text()) == []


def test_nor_does_one_that_tunes_in_another_thread_as_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that was added, or is loaded for its first job, is tuned beside the serving."""
    tuning = tuner(tmp_path, stub("good"))

    def killed(plan: TrialPlan, *, noted: Noted) -> TrialLog:
        noted(plan.candidates[1].name)
        tuning.leave()
        noted(TIMING)
        os._exit(1)

    if (child := os.fork()) == 0:
        try:
            monkeypatch.setattr(module, "try_all", killed)
            tuning.verdict(MODEL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)  # not another's that ends just now
    assert tuner(tmp_path, stub("good")).verdict(MODEL).chosen.remark == "good"


def test_an_operator_reads_what_is_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tuner(tmp_path, stub("good"))
    said = []

    def tried(plan: TrialPlan, *, noted: Noted) -> TrialLog:
        said.append(made.doing)
        for what in (plan.candidates[1].name, TIMING):
            noted(what)
            said.append(made.doing)
        return TrialLog(plan.candidates, stopped="told to")

    monkeypatch.setattr(module, "try_all", tried)
    made.verdict(MODEL)
    assert said == [
        "tuning m: waiting for its turn",
        f"tuning m: trying {stub('good').name}",
        "tuning m: timing what is left",
    ]
    assert not made.doing


@pytest.mark.usefixtures("nothing_is_tried")
def test_where_nothing_can_be_kept_the_own_backend_serves_and_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    verdict = tuner(tmp_path / "file", stub("good")).verdict(MODEL)
    assert verdict.chosen == OWN
    assert "takes no verdict (Not a directory)" in verdict.note


@pytest.mark.usefixtures("nothing_is_tried")
def test_one_tunes_at_a_time_and_who_waits_in_vain_is_served_all_the_same(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.open()
    with shelf.alone(0):
        verdict = tuner(tmp_path, stub("good"), budget_s=0.01).verdict(MODEL)
    assert verdict.chosen == OWN
    assert "another process has been tuning" in verdict.note


@pytest.mark.usefixtures("nothing_is_tried")
def test_what_is_too_large_or_switched_off_stays_with_its_own(tmp_path: Path) -> None:
    source = tmp_path / "model"
    source.mkdir()
    header = b'{"w":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}'
    (source / "model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + bytes(4000)
    )
    declared = MODEL.model_copy(update={"source": str(source)})

    def why(bounds: Bounds, free: int, *, is_on: bool = True) -> str:
        made = Tuner(
            tmp_path / "tuned",
            Device(),
            "cpu, 8 GiB",
            is_on=is_on,
            bounds=bounds,
            free_memory=lambda: free,
            candidates=lambda *_: [OWN, stub("good")],
        )
        verdict = made.verdict(declared)
        assert verdict.chosen == OWN
        return verdict.why

    assert "over WHERRY_TUNE_MAX_BYTES" in why(Bounds(max_bytes=3999), 1 << 40)
    assert "of memory are free" in why(Bounds(), 15_999)
    assert "WHERRY_TUNE" in why(Bounds(), 1 << 40, is_on=False)


def test_more_time_is_used_where_there_was_too_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(plan: TrialPlan, **_: object) -> TrialLog:
        calls.append(plan.budget_s)
        return TrialLog(plan.candidates, stopped="the time for tuning was over", is_late=True)

    calls: list[float] = []
    monkeypatch.setattr(module, "try_all", late)
    for budget_s in (5, 5, 9):
        verdict = tuner(tmp_path, stub("good"), budget_s=budget_s).verdict(MODEL)
        assert "the time for tuning was over" in verdict.note
    assert calls == [5, 9]


def test_a_verdict_that_nobody_has_read_for_months_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "try_all", lambda plan, **_: TrialLog(plan.candidates, is_done=True)
    )
    for source in ("a", "b", "c"):
        declared = MODEL.model_copy(update={"source": source})
        tuner(tmp_path, stub("good")).verdict(declared)
        for file in (tmp_path / "verdicts").iterdir():
            if json.loads(file.read_text())["identity"]["source"] == "a":
                old = time.time() - 91 * 86_400
                os.utime(file, (old, old))
    kept = [json.loads(f.read_text())["identity"] for f in (tmp_path / "verdicts").iterdir()]
    assert sorted(each["source"] for each in kept) == ["b", "c"]


def test_batches_are_timed_alone_usual_and_full() -> None:
    def of(**fields: object) -> list[int]:
        return sizes(MODEL.model_copy(update={"max_batch_size": 32, **fields}))

    assert of() == [1, 8, 32]
    assert of(preferred_batch_size=[4, 16]) == [1, 8, 16]
    assert of(max_batch_size=8) == [1, 8]
    assert of(max_batch_size=1) == [1]


def test_workers_of_other_versions_keep_their_verdicts_beside_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "try_all", lambda plan, **_: TrialLog(plan.candidates, is_done=True)
    )

    def versions_after_tuning_with(version: str) -> list[str]:
        monkeypatch.setattr(identities, "versions", lambda: {"torch": version})
        tuner(tmp_path, stub("good")).verdict(MODEL)
        kept = [json.loads(f.read_text())["identity"] for f in (tmp_path / "verdicts").iterdir()]
        return sorted(each["versions"]["torch"] for each in kept)

    assert versions_after_tuning_with("1") == ["1"]
    assert versions_after_tuning_with("2") == ["1", "2"]
    for file in (tmp_path / "verdicts").iterdir():
        old = time.time() - 2 * 86_400
        os.utime(file, (old, old))
    assert versions_after_tuning_with("3") == ["3"]


def test_what_a_worker_serves_by_outlives_another_models_tuning_however_long_it_is_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read when the model is loaded: and again after it was put away, months later."""
    monkeypatch.setattr(module, "try_all", in_favour_of_an_export)
    exported = replace(stub("exported"), source=None)
    serving = tuner(tmp_path, exported)
    verdict = serving.verdict(MODEL)
    serving.verdict(MODEL.model_copy(update={"name": "other", "source": "other"}))

    def others_tune(source: str) -> None:
        for file in (tmp_path / "verdicts").iterdir():
            os.utime(file, (0, 0))
        tuner(tmp_path, stub("good")).verdict(MODEL.model_copy(update={"source": source}))

    others_tune("a third")
    assert Path(serving.served_as(MODEL, verdict).source or "").is_dir()
    assert serving.verdict(MODEL) == verdict
    del serving
    others_tune("a fourth")
    left = {
        folder.name: len(list(folder.iterdir())) for folder in tmp_path.iterdir() if folder.is_dir()
    }
    assert left == {"exports": 0, "verdicts": 1, "held": 1}


def in_favour_of_an_export(plan: TrialPlan, **_: object) -> TrialLog:
    Path(plan.export).mkdir(exist_ok=True)
    rates = {each.name: {1: 1.0 + 9 * (each.source is None)} for each in plan.candidates}
    return TrialLog(plan.candidates, is_done=True, rates=rates)


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_wherry_of_another_format_reads_is_kept_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    monkeypatch.setattr(module, "try_all", nothing_seen)
    (tmp_path / "exports" / "theirs").mkdir(parents=True)
    (tmp_path / "verdicts").mkdir()
    file = tmp_path / "verdicts" / "theirs.json"
    file.write_text('{"format": 99, "export": "theirs"}')
    if not kept:
        os.utime(file, (0, 0))
    tuner(tmp_path, stub("good")).verdict(MODEL)
    assert (file.exists(), (tmp_path / "exports" / "theirs").exists()) == (kept, kept)
