from __future__ import annotations

import wherry


def test_server_metadata(http):
    body = http.get("/v2").json()
    assert (body["name"], body["version"]) == ("wherry", wherry.__version__)
    assert body["extensions"] == [
        "binary_tensor_data",
        "model_repository",
        "model_configuration",
        "schedule_policy",
        "parameters",
        "statistics",
        "async_jobs",
        "binary_jobs",
    ]


def test_live(http):
    assert http.get("/v2/health/live").json() == {"live": True}


def test_ready_needs_a_worker_of_every_family(http, worker):
    answer = http.get("/v2/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert len(answer.json()["reasons"]) == 4
    worker.beat("audio", "multimodal", "text")
    assert http.get("/v2/health/ready").json()["reasons"] == ["no worker for family 'vision'"]
    worker.beat("audio", "multimodal", "text", "vision")
    assert http.get("/v2/health/ready").json() == {"ready": True}


def test_queues_show_groups_workers_and_totals(http, worker, texts):
    worker.beat("text", models=("embedding",))
    for priority in (0, 1):
        body = texts("a", parameters={"priority": priority})
        http.post("/v2/models/embedding/jobs", json=body)
    fleet = http.get("/v2/queues").json()
    assert [(q["model"], q["priority"], q["waiting"]) for q in fleet["queues"]] == [
        ("embedding", 1, 1),
        ("embedding", 5, 1),
    ]
    assert fleet["workers"][0]["families"] == ["text"]
    assert fleet["workers"][0]["warnings"] == []
    assert fleet["totals"]["waiting"] == 2
    assert fleet["totals"]["dead"] == 0


def test_queues_tell_whose_turn_and_what_runs(http, worker, texts):
    worker.beat("text", models=("embedding",), busy_share=0.5, batch_fill=0.25)
    http.post("/v2/models/embedding/jobs", json=texts("a", parameters={"priority": 9}))
    claimed = worker.claim()
    fleet = http.get("/v2/queues").json()
    [group], [seen] = fleet["queues"], fleet["workers"]
    assert (group["tenant"], group["lane"], group["weight"]) == ("-", "bulk", 1)
    assert group["device_s_per_s"] == 0
    assert (seen["busy_share"], seen["batch_fill"]) == (0.5, 0.25)
    assert [(each["model"], each["jobs"]) for each in seen["runs"]] == [("embedding", 1)]
    worker.finish(worker.answer(*claimed[0]), claimed[0][1])
    assert http.get("/v2/queues").json()["workers"][0]["runs"] == []


def test_queues_tell_an_operator_where_the_dashboards_are(http, api_settings, monkeypatch):
    assert "dashboards_url" not in http.get("/v2/queues").json()
    url = "https://grafana.example.org"
    monkeypatch.setattr(api_settings, "dashboards_url", url)
    assert http.get("/v2/queues").json()["dashboards_url"] == url
