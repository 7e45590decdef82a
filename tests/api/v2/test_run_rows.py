"""The rows of runs: pages, filters, pictures, two runs side by side; over sheets in a store."""

from __future__ import annotations

import pytest

from wherry.jobs import run_blobs, run_rows

from .run_books import answered, failed

ASKED = {"source": "/data/photos", "model": "image-classification"}
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "


def run_of(http, runs, run_id, *shards, pictures=b"", **fields):
    assert http.post("/v2/runs", json={**ASKED, "id": run_id, **fields}).status_code == 201
    runs.plan(*map(len, shards))
    for rows in shards:
        runs.shard(rows, pictures)


def indexes(http, **query):
    page = http.get("/v2/runs/r/rows", params=query).json()
    return [row["index"] for row in page["rows"]]


@pytest.fixture
def ten(http, runs):
    """Ten rows in two shards: cats and dogs by turns, the surer the later; 3 and 8 failed."""
    rows = [
        failed(n) if n in (3, 8) else answered(n, ("cat" if n % 2 else "dog", n / 10))
        for n in range(10)
    ]
    run_of(http, runs, "r", rows[:6], rows[6:])
    return rows


def test_rows_come_in_their_order_page_by_page(http, ten):
    assert indexes(http) == list(range(10))
    pages, after = [], ""
    while after is not None:
        page = http.get("/v2/runs/r/rows", params={"limit": 3, "after": after}).json()
        pages.append([row["index"] for row in page["rows"]])
        after = page["after"]
    assert pages == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    row = http.get("/v2/runs/r/rows", params={"limit": 1}).json()["rows"][0]
    assert row["id"] == "0.png"
    assert row["labels"] == [{"label": "dog", "score": 0.0}]
    assert (row["picture_url"], "picture" in row) == (None, False)


def test_rows_are_filtered(http, ten):
    assert indexes(http, failed="true") == indexes(http, failed="1") == [3, 8]
    assert indexes(http, failed="false") == [0, 1, 2, 4, 5, 6, 7, 9]
    assert indexes(http, label="cat") == [1, 5, 7, 9]
    assert indexes(http, label="bird") == []
    assert indexes(http, min_score=0.5) == [5, 6, 7, 9]
    assert indexes(http, min_score=0.2, max_score=0.5) == [2, 4, 5]
    assert indexes(http, label="dog", max_score=0.4) == [0, 2, 4]
    assert indexes(http, label="cat", limit=2, after="1.0") == [7, 9]


def test_blocks_without_a_wanted_row_are_not_read(http, ten, monkeypatch):
    read = []
    real = run_blobs.read_block

    def counted(store, run_id, number, name, block):
        read.append((number, block.first))
        return real(store, run_id, number, name, block)

    monkeypatch.setattr("wherry.jobs.run_rows.read_block", counted)
    assert indexes(http, min_score=0.55) == [6, 7, 9]
    assert read == [(1, 6)]  # 6 to 9 are one block; those before have no such score


def test_a_page_that_reads_much_ends_early_and_goes_on(http, ten, monkeypatch):
    monkeypatch.setattr(run_rows, "_MOST_BLOCKS", 1)
    found, after, pages = [], "", 0
    while after is not None:
        page = http.get("/v2/runs/r/rows", params={"failed": "1", "after": after}).json()
        found += [row["index"] for row in page["rows"]]
        after, pages = page["after"], pages + 1
    assert (found, pages) == ([3, 8], 2)


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [("rows", {}, 3), ("rows", {"order": "score"}, 3), ("compare", {"with": "other"}, 4)],
)
def test_a_page_of_large_answers_has_fewer_of_them(http, runs, monkeypatch, path, query, expected):
    monkeypatch.setattr(run_rows, "PAGE_BYTES", 20_000)
    large = [answered(n, ("cat", n / 10), answer={"text": "x" * 9000}) for n in range(7)]
    run_of(http, runs, "r", large[:3], large[3:])
    run_of(http, runs, "other", large)
    found, after, pages = [], "", 0
    while after is not None:
        page = http.get(f"/v2/runs/r/{path}", params={**query, "after": after}).json()
        found += [row["index"] for row in page["rows"]]
        after, pages = page["after"], pages + 1
    assert found == list(range(7))
    assert pages == expected


def test_the_least_sure_come_first_by_score(http, runs):
    scores = [0.9, 0.1, 0.5, 0.3, 0.7, 0.2]
    rows = [answered(n, ("cat", score)) for n, score in enumerate(scores)]
    run_of(http, runs, "r", rows[:3], [*rows[3:], failed(6)])
    assert indexes(http, order="score") == [1, 5, 3, 2, 4, 0]
    page = http.get("/v2/runs/r/rows", params={"order": "score", "limit": 4}).json()
    assert (page["after"], page["ordered"], page["of"]) == ("4", 7, 7)
    assert indexes(http, order="score", limit=4, after="4") == [4, 0]
    assert indexes(http, order="score", min_score=0.25) == [3, 2, 4, 0]


def test_only_finished_shards_have_rows_yet(http, runs):
    assert http.post("/v2/runs", json={**ASKED, "id": "r"}).status_code == 201
    assert indexes(http) == []
    runs.plan(1, 1)
    runs.shard([answered(0, ("cat", 0.5))])
    assert indexes(http) == [0]


@pytest.mark.parametrize(
    "query",
    [
        {"failed": "perhaps"},
        {"order": "size"},
        {"min_score": "much"},
        {"max_score": "nan"},
        {"limit": "0"},
        {"limit": "1001"},
        {"after": "x"},
        {"after": "1"},
        {"after": "-1.0"},
        {"order": "score", "after": "x"},
    ],
)
def test_a_filter_that_says_nothing_is_refused_by_name(http, ten, query):
    answer = http.get("/v2/runs/r/rows", params=query)
    assert answer.status_code == 400
    assert list(query)[-1] in answer.json()["error"]


def test_a_picture_is_a_picture_and_nothing_more(http, runs):
    html = b"<script>alert(1)</script>"
    jpeg = b"\xff\xd8\xff\xe0 and so on"
    rows = [
        answered(0, ("cat", 1.0), picture=[0, len(WEBP)]),
        answered(1, ("cat", 1.0), picture=[len(WEBP), len(html)]),
        answered(2, ("cat", 1.0)),
        answered(3, ("cat", 1.0), picture=[len(WEBP) + len(html), len(jpeg)]),
    ]
    run_of(http, runs, "r", rows, pictures=WEBP + html + jpeg)
    shown = http.get("/v2/runs/r/rows").json()["rows"]
    good = http.get(shown[0]["picture_url"])
    assert (good.content, good.headers["content-type"]) == (WEBP, "image/webp")
    assert http.get(shown[3]["picture_url"]).headers["content-type"] == "image/jpeg"
    bad = http.get(shown[1]["picture_url"])
    assert (bad.content, bad.headers["content-type"]) == (html, "application/octet-stream")
    for answer in (good, bad):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    assert http.get("/v2/runs/r/rows/0/picture").content == WEBP
    for number in (2, 99):
        assert http.get(f"/v2/runs/r/rows/{number}/picture").status_code == 404
    for odd in ("x", "-1", "9" * 30):
        assert http.get(f"/v2/runs/r/rows/{odd}/picture").status_code in (400, 404)


def test_two_runs_are_laid_side_by_side(http, runs):
    mine = [
        answered(0, ("cat", 0.8), ("dog", 0.2)),
        answered(1, ("cat", 1.0)),
        answered(2, ("dog", 1.0)),
        failed(3),
        answered(4, ("cat", 0.5)),
    ]
    theirs = [
        answered(0, ("dog", 0.8), ("cat", 0.2)),
        answered(1, ("cat", 1.0)),
        answered(2, ("cat", 1.0)),
        answered(3, ("cat", 1.0)),
        answered(9, ("cat", 1.0)),
    ]
    run_of(http, runs, "r", mine[:3], mine[3:])
    run_of(http, runs, "other", theirs)
    found = http.get("/v2/runs/r/compare", params={"with": "other"}).json()
    assert [(row["index"], row["agreement"]) for row in found["rows"]] == [
        (3, None),
        (2, 0.0),
        (0, 0.25),
        (1, 1.0),
    ]
    assert found["agreement"] == pytest.approx(1.25 / 3)
    assert found["same_first_label"] == pytest.approx(1 / 3)
    assert (found["counted"], found["of"], found["after"]) == (4, 5, None)
    first = found["rows"][1]
    assert (first["a"]["labels"][0]["label"], first["b"]["labels"][0]["label"]) == ("dog", "cat")
    page = http.get("/v2/runs/r/compare", params={"with": "other", "limit": 3}).json()
    rest = http.get(
        "/v2/runs/r/compare", params={"with": "other", "limit": 3, "after": page["after"]}
    ).json()
    assert [row["index"] for row in page["rows"] + rest["rows"]] == [3, 2, 0, 1]
    dogs = http.get("/v2/runs/r/compare", params={"with": "other", "label": "dog"}).json()
    assert [row["index"] for row in dogs["rows"]] == [2, 0]


def test_answers_without_labels_agree_if_they_are_equal(http, runs):
    a = [answered(n, answer={"outputs": [{"name": "text", "data": ["x"]}]}) for n in range(2)]
    b = [a[0], answered(1, answer={"outputs": [{"name": "text", "data": ["y"]}]})]
    run_of(http, runs, "r", a)
    run_of(http, runs, "other", b)
    found = http.get("/v2/runs/r/compare", params={"with": "other"}).json()
    assert [(row["index"], row["agreement"]) for row in found["rows"]] == [(1, 0.0), (0, 1.0)]


def test_only_the_first_rows_are_compared_and_that_is_told(http, runs, monkeypatch):
    monkeypatch.setattr("wherry.jobs.run_compare.ORDERED_ROWS", 3)
    rows = [answered(n, ("cat", 1.0)) for n in range(6)]
    run_of(http, runs, "r", rows)
    run_of(http, runs, "other", rows)
    found = http.get("/v2/runs/r/compare", params={"with": "other"}).json()
    assert (found["counted"], found["of"]) == (3, 6)


def test_a_comparison_names_another_run(http, ten):
    assert http.get("/v2/runs/r/compare").status_code == 400
    assert http.get("/v2/runs/r/compare", params={"with": "none"}).status_code == 404
    query = {"with": "r", "after": "x"}
    assert http.get("/v2/runs/r/compare", params=query).status_code == 400
