"""Every query of every dashboard finds something in a real Prometheus, which has scraped a real
fleet at work.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.client import Client
from wherry.ops.grafana.build import write
from wherry.ops.stack import Stack
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.vision.image_classification import ImageClassificationInput
from wherry.telemetry.metric_specs import SPECS

from ...support.models import model
from ...support.prometheus import Prometheus, filled, scraping
from ...support.receiver import Receiver, status
from ...support.waiting import until

pytestmark = pytest.mark.usefixtures("forked_stacks")

DASHBOARDS = Path(__file__).parents[3] / "ops" / "grafana" / "dashboards"

#: Of machines with a GPU.
GPU = "gpu"

MODELS = model("embedding", max_batch_size=8, raise_on="RAISE", reject_on="REJECT") + model(
    "image-classification", max_batch_size=4, delay_s=0.01
)

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def dashboard(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DASHBOARDS / f"{name}.json").read_text())
    return told


NAMES = sorted(path.stem for path in DASHBOARDS.glob("*.json"))


def queries(name: str) -> Iterator[tuple[str, str]]:
    """A dashboard's queries, with their panels' titles; those that list a variable's values too."""
    told = dashboard(name)
    for panel in told["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in told["templating"]["list"]:
        if variable["type"] == "query":
            [metric] = re.findall(r"label_values\((\w+), \w+\)", variable["query"]["query"])
            yield f"${variable['name']}", metric


def test_the_files_are_what_is_written(tmp_path: Path) -> None:
    write(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.glob("*.json")} == {
        path.name: path.read_text() for path in DASHBOARDS.glob("*.json")
    }, "python -m wherry.ops.grafana.build ops/grafana/dashboards"


@pytest.mark.parametrize("name", NAMES)
def test_panels_lie_beside_each_other(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard(name)["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard(name)["panels"]]
    assert len(ids) == len(set(ids))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "models.toml").write_text(MODELS)
    env = {
        "WHERRY_INLINE_MAX_BYTES": "1000",
        "WHERRY_WEBHOOK_HOSTS": "127.0.0.1:*",
        "WHERRY_WEBHOOK_SCHEMES": "http",
        "WHERRY_WEBHOOK_SECRETS": SECRET,
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
    }
    models = folder / "models.toml"
    with Stack(models=models, data_dir=folder, flower=False, run_workers=1, env=env) as stack:
        yield stack


def _work(stack: Stack, hook: str, over: threading.Event) -> None:
    """Jobs of every kind that a panel tells of, until it is over."""
    texts = [EmbeddingInput(texts=[text]) for text in ("a", "b", "RAISE", "REJECT", "long " * 500)]
    picture = ImageClassificationInput(images=[b"x" * 3000])
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hi"]}
    with Client(stack.url) as client, httpx.Client(base_url=stack.url) as http:
        while not over.is_set():
            list(client.map("embedding", texts, return_errors=True))
            client.submit("image-classification", picture, priority=9)
            http.post(
                "/v2/models/embedding/jobs",
                json={"inputs": [tensor]},
                headers={"Wherry-Webhook": hook},
            )


@pytest.fixture(scope="module")
def prometheus(fleet: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that has seen work; two runs have been, of which one is held after its sample."""
    if shutil.which("prometheus") is None:
        pytest.skip("no Prometheus here: apt-get install prometheus")
    folder, over, receiver = tmp_path_factory.mktemp("prometheus"), threading.Event(), Receiver()
    receiver.answers["/hook"] = status(204, b"")
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"row {number}"}) + "\n" for number in range(60)))
    hook = receiver.url("/hook", host="127.0.0.1")
    working = threading.Thread(target=_work, args=(fleet, hook, over))
    with scraping(folder / "server", fleet.url) as server, Client(fleet.url) as client:
        until(server.targets, lambda found: len(found) == 4 and set(found.values()) == {"up"})
        working.start()
        try:
            for sample in (0, 20):
                asked = {"source": str(rows), "model": "embedding"}
                run = client.post("/v2/runs", {**asked, **({"sample": sample} if sample else {})})
                until(
                    partial(client.get, f"/v2/runs/{run['id']}"),
                    lambda run: run["state"] in ("succeeded", "held"),
                )
            yield server
        finally:
            over.set()
            working.join()
            receiver.close()


@pytest.mark.parametrize("name", [name for name in NAMES if name != GPU])
def test_every_query_finds_something(prometheus: Prometheus, name: str) -> None:
    values = {f"${name}": ".*" for name in ("model", "tenant", "run")}
    asked = {(title, filled(query, values)) for title, query in queries(name)}

    def empty() -> set[tuple[str, str]]:
        return {(title, query) for title, query in asked if not prometheus.query(query)}

    assert until(empty, lambda found: not found, timeout_s=60) == set()


def test_no_alert_fires_for_a_fleet_that_works(prometheus: Prometheus) -> None:
    firing = prometheus.query('ALERTS{alertstate="firing",severity="page"}')
    # Some of its jobs raise on purpose.
    assert {each["metric"]["alertname"] for each in firing} <= {"WherryJobsFail"}


@pytest.mark.parametrize("name", NAMES)
def test_queries_ask_for_metrics_that_there_are(name: str) -> None:
    parts = {f"{metric}_{part}" for metric in SPECS for part in ("bucket", "sum", "count")}
    for title, query in queries(name):
        named = set(re.findall(r"\b(?:wherry|nv)_[a-z0-9_]+", query))
        assert named <= set(SPECS) | parts, (title, query)
