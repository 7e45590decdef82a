"""What ending a pod costs, as a Kubernetes API over TLS is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kubernetes_validate
import pytest

from wherry.workers.pod_cost import ANNOTATION, PodCost, open_pod_cost
from wherry.workers.settings import WorkerSettings

from ..support.kubernetes import POD, Kubernetes


@dataclass
class Busy:
    """A worker's work, and the clock."""

    jobs: int = 0
    share: float = 0.0
    now_s: float = 1000.0


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubernetes]:
    kubernetes = Kubernetes(tmp_path)
    for name, value in kubernetes.environment.items():
        monkeypatch.setenv(name, value)
    yield kubernetes
    kubernetes.close()


@pytest.fixture
def busy() -> Busy:
    return Busy()


@pytest.fixture
def cost(kubernetes: Kubernetes, busy: Busy) -> PodCost:
    return PodCost(
        POD,
        kubernetes.credentials,
        held=lambda: busy.jobs,
        busy_share=lambda: busy.share,
        clock=lambda: busy.now_s,
    )


def test_a_pod_that_runs_something_costs_more_than_one_that_does_not(
    kubernetes: Kubernetes, busy: Busy, cost: PodCost
) -> None:
    cost.look()
    assert kubernetes.annotations() == {"kept": "by all", ANNOTATION: "0"}
    busy.jobs, busy.share = 7, 0.62
    cost.look()
    assert kubernetes.annotations()[ANNOTATION] == "106"
    kubernetes_validate.validate(kubernetes.pods[POD], "1.31", strict=True)


def test_what_has_not_changed_is_not_told_again(
    kubernetes: Kubernetes, busy: Busy, cost: PodCost
) -> None:
    for _ in range(3):
        cost.look()
    busy.share = 0.04  # less than a tenth is nothing
    cost.look()
    assert len(kubernetes.patches) == 1


def test_a_pause_between_two_batches_is_not_idleness(
    kubernetes: Kubernetes, busy: Busy, cost: PodCost
) -> None:
    busy.jobs = 1
    cost.look()
    busy.jobs = 0
    cost.look()
    assert kubernetes.annotations()[ANNOTATION] == "100"
    cost.look()
    assert kubernetes.annotations()[ANNOTATION] == "0"


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "may not patch pods"), (404, f"no pod {POD!r}"), (500, "it answers 500")],
)
def test_a_refusal_is_said_once_and_tried_again_later(
    kubernetes: Kubernetes,
    busy: Busy,
    cost: PodCost,
    caplog: pytest.LogCaptureFixture,
    status: int,
    said: str,
) -> None:
    kubernetes.refuses_with = status
    with caplog.at_level(logging.WARNING):
        cost.look()
        busy.now_s += 61
        cost.look()
        assert [record.message for record in caplog.records if said in record.message] != []
        assert len(caplog.records) == 1
        kubernetes.refuses_with = 0
        cost.look()
        assert kubernetes.patches == []  # not at once
        busy.now_s += 61
        cost.look()
    assert kubernetes.annotations()[ANNOTATION] == "0"
    assert "again" in caplog.records[-1].message


def test_a_new_token_is_read(kubernetes: Kubernetes, cost: PodCost, busy: Busy) -> None:
    token = kubernetes.credentials / "token"
    good = token.read_text()
    token.write_text("an old one")
    cost.look()
    assert kubernetes.patches == []
    token.write_text(good)
    busy.now_s += 61
    cost.look()
    assert len(kubernetes.patches) == 1


def test_a_server_of_another_authority_gets_no_token(
    kubernetes: Kubernetes, cost: PodCost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other").mkdir()
    other = Kubernetes(tmp_path / "other")
    (kubernetes.credentials / "ca.crt").write_bytes((other.credentials / "ca.crt").read_bytes())
    with caplog.at_level(logging.WARNING):
        cost.look()
    other.close()
    assert "certificate verify failed" in caplog.text.lower()
    assert kubernetes.patches == []


def test_outside_a_pod_it_is_said_and_nothing_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    cost = PodCost(POD, tmp_path, held=lambda: 0, busy_share=lambda: 0.0)
    with caplog.at_level(logging.WARNING):
        cost.look()
    assert "is it a pod, with a service account?" in caplog.text


def test_it_is_off_unless_the_pod_is_named() -> None:
    def open_with(name: str) -> PodCost | None:
        settings = WorkerSettings(pod_name=name)
        return open_pod_cost(settings, lambda: 0, lambda: 0.0)

    assert open_with("") is None
    assert open_with(POD) is not None


def test_its_thread_looks_by_itself(kubernetes: Kubernetes, cost: PodCost) -> None:
    cost.start()
    cost.stop()  # it ends the look that is on
    assert kubernetes.annotations()[ANNOTATION] == "0"
