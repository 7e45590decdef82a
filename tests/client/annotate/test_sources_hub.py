"""Data sets of a hub, against a server that answers a Hub's calls."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants as hub_constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherry.client.annotate.rows import SourceRow
from wherry.client.annotate.sources import Columns, open_source
from wherry.client.annotate.sources.confined import place_among
from wherry.client.annotate.sources.hub_spelling import hub_spelling
from wherry.client.annotate.sources.parts import Part
from wherry.client.annotate.sources.sampling import USUAL
from wherry.protocol.errors import InvalidRequest, Unavailable
from wherry.protocol.places import AllowedPlaces
from wherry.tasks.registry import get_task

from ...support.hub import Hub

EMBEDDING, PICTURES = get_task("embedding"), get_task("image-classification")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, and an empty cache."""
    hub = Hub()
    monkeypatch.setattr(hub_constants, "ENDPOINT", hub.url)
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(hub_constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(hub_constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    yield hub
    hub.close()


def go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub_constants, "is_offline_mode", lambda: True)


def parquet(name: str, count: int, words: int = 1) -> bytes:
    file = io.BytesIO()
    texts = [f"{name} {number}" + " word" * words for number in range(count)]
    ids = [f"{name}{number}" for number in range(count)]
    table = pa.table({"id": ids, "text": texts})
    pq.write_table(table, file, row_group_size=100, compression="none", use_dictionary=False)
    return file.getvalue()


def lines(name: str, count: int) -> bytes:
    rows = ({"id": f"{name}{number}", "text": f"{name} {number}"} for number in range(count))
    return "\n".join(json.dumps(row) for row in rows).encode()


#: As `push_to_hub` leaves a data set.
PUSHED = {
    ".gitattributes": b"",
    "README.md": b"---\nlicense: mit\n---\n# Reviews\n",
    "data/train-00000-of-00002.parquet": parquet("a", 250),
    "data/train-00001-of-00002.parquet": parquet("b", 130),
    "data/test-00000-of-00001.parquet": parquet("t", 20),
}


def ids(spec: str) -> list[str]:
    return [row.id for row in open_source(spec, EMBEDDING)]


def test_a_split_is_read_by_its_name(hub: Hub) -> None:
    hub.dataset("acme/reviews", PUSHED)
    train = [f"a{n}" for n in range(250)] + [f"b{n}" for n in range(130)]
    assert ids("hf://datasets/acme/reviews/train") == train
    assert ids("hf://datasets/acme/reviews/train@main") == train
    assert ids("hf://datasets/acme/reviews@main/data/train-*.parquet") == train
    assert len(ids("hf://datasets/acme/reviews/data/test-00000-of-00001.parquet")) == 20


def test_parts_one_after_another_are_the_whole(hub: Hub) -> None:
    hub.dataset("acme/reviews", PUSHED)
    source = open_source("hf://datasets/acme/reviews/train", EMBEDDING)
    parts = [Part.of(json.loads(json.dumps(part.as_json()))) for part in source.parts(70)]
    assert [part.rows for part in parts] == [70] * 5 + [30]
    other = open_source(source.pinned, EMBEDDING)
    assert [row.id for part in parts for row in other.part(part)] == [row.id for row in source]


def test_a_plan_fetches_the_ends_of_files_alone(hub: Hub) -> None:
    whole = {**PUSHED, "data/train-00000-of-00002.parquet": parquet("a", 4000, 500)}
    hub.dataset("acme/reviews", whole)
    source = open_source("hf://datasets/acme/reviews/train", EMBEDDING)
    assert source.count() == 4130
    assert sum(part.units for part in source.parts(1000)) == 4130
    assert len(whole["data/train-00000-of-00002.parquet"]) > 9_000_000
    assert hub.bytes_sent < 1_500_000


def test_a_source_stays_at_the_commit_that_it_was_opened_at(hub: Hub) -> None:
    dataset = hub.dataset("acme/reviews", {"train.jsonl": lines("old", 5)})
    source = open_source("hf://datasets/acme/reviews", EMBEDDING)
    source_ids = [row.id for row in source]
    dataset.commit({"train.jsonl": lines("new", 9)})
    assert [row.id for row in source] == source_ids == ids(source.pinned)
    assert ids("hf://datasets/acme/reviews")[0] == "new0"
    assert dataset.branches["main"] not in source.pinned


def test_a_file_is_fetched_once_and_then_is_there_offline(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.dataset("acme/reviews", PUSHED)
    before = ids("hf://datasets/acme/reviews/train")
    sent = hub.bytes_sent
    assert ids("hf://datasets/acme/reviews/train") == before
    assert hub.bytes_sent - sent < 1000, "only which commit is the newest"
    go_offline(monkeypatch)
    hub.asked.clear()
    assert ids("hf://datasets/acme/reviews/train") == before
    with pytest.raises(InvalidRequest, match="hf download acme/reviews --repo-type dataset"):
        ids("hf://datasets/acme/reviews/test")
    with pytest.raises(InvalidRequest, match="is not in the cache, and HF_HUB_OFFLINE is set"):
        ids("hf://datasets/acme/others")
    assert hub.asked == []


def test_what_the_hubs_own_command_fetched_is_read_offline(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.dataset("acme/reviews", PUSHED)
    huggingface_hub.snapshot_download("acme/reviews", repo_type="dataset")
    go_offline(monkeypatch)
    assert len(ids("hf://datasets/acme/reviews/train")) == 380


CONFIGS = b"""---
configs:
- config_name: en
  data_files:
  - split: train
    path: "english/part-*.jsonl"
  - split: hard
    path: ["english/odd.jsonl", "english/odder.jsonl"]
- config_name: de
  data_files: german.jsonl
---
"""

CONFIGURED = {
    "README.md": CONFIGS,
    "english/part-2.jsonl": lines("two", 2),
    "english/part-1.jsonl": lines("one", 1),
    "english/odder.jsonl": lines("odder", 1),
    "english/odd.jsonl": lines("odd", 1),
    "german.jsonl": lines("de", 3),
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("en/train", ["one0", "two0", "two1"]),
        ("en/hard", ["odd0", "odder0"]),
        ("de", ["de0", "de1", "de2"]),
        ("de/train", ["de0", "de1", "de2"]),
        ("german.jsonl", ["de0", "de1", "de2"]),
    ],
)
def test_a_readme_says_what_configurations_and_splits_are(
    hub: Hub, path: str, found: list[str]
) -> None:
    hub.dataset("acme/both", CONFIGURED)
    assert ids(f"hf://datasets/acme/both/{path}") == found


def test_the_default_configuration_need_not_be_named(hub: Hub) -> None:
    hub.dataset("acme/both", {**CONFIGURED, "README.md": CONFIGS.replace(b" en\n", b" default\n")})
    assert ids("hf://datasets/acme/both/hard") == ["odd0", "odder0"]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (PUSHED, "has several splits: name one of test, train"),
        (CONFIGURED, "has several configurations: name one of en, de"),
        ({"train.jsonl": b"{}", "other.jsonl": b"{}"}, "which split other.jsonl is of"),
        ({"a.jsonl": b"{}", "b.csv": b"text"}, "of several kinds"),
        ({"a.jsonl": b"{}", "b.jpg": b"picture"}, "has files (b.jpg) and tables (a.jsonl)"),
        (
            {"README.md": CONFIGS.replace(b" de\n", b" default\n"), "x.jsonl": b"{}"},
            "README.md names 'german.jsonl', and no file is called so",
        ),
    ],
)
def test_what_is_left_open_is_not_guessed(hub: Hub, files: dict[str, bytes], told: str) -> None:
    hub.dataset("acme/open", files)
    with pytest.raises(InvalidRequest) as caught:
        open_source("hf://datasets/acme/open", EMBEDDING)
    assert told in caught.value.message


def test_pictures_in_folders_are_rows_by_their_paths(hub: Hub) -> None:
    files = {f"train/{kind}/{n}.png": b"%d" % n for n in range(4) for kind in ("cat", "dog")}
    told = [{"file_name": f"train/cat/{n}.png"} for n in (3, 1)]
    files["README.md"] = b"# none"
    files["metadata.jsonl"] = "\n".join(map(json.dumps, told)).encode()
    hub.dataset("acme/pets", files)
    source = open_source("hf://datasets/acme/pets/train", PICTURES)
    rows = list(source)
    assert [row.id for row in rows[:5]] == [*(f"cat/{n}.png" for n in range(4)), "dog/0.png"]
    assert rows[0].path == "hf://datasets/acme/pets/train/cat/0.png"
    assert [part.units for part in source.parts(3)] == [3, 3, 2]
    table = open_source("hf://datasets/acme/pets/metadata.jsonl", PICTURES)
    assert [row.values["images"] for row in table if isinstance(row, SourceRow)] == [b"3", b"1"]


def test_tar_shards_are_rows_by_their_members(hub: Hub) -> None:
    shards = {}
    for shard in range(2):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            info = tarfile.TarInfo(f"{shard}.png")
            info.size = 3
            archive.addfile(info, io.BytesIO(b"png"))
        shards[f"train-{shard:05}-of-00002.tar"] = file.getvalue()
    hub.dataset("acme/web", shards)
    source = open_source("hf://datasets/acme/web", PICTURES)
    assert [row.id for row in source] == ["train-00000-of-00002/0", "train-00001-of-00002/1"]


def test_a_token_is_the_environments_and_in_no_error(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.dataset("acme/secret", {"train.jsonl": lines("s", 2)}, token="hf_right")
    hub.dataset("acme/gated", {"train.jsonl": lines("g", 2)}, token="hf_right", gated=True)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InvalidRequest, match="not there, or private: HF_TOKEN says who") as caught:
        ids("hf://datasets/acme/secret")
    with pytest.raises(InvalidRequest, match="who were granted access: HF_TOKEN"):
        ids("hf://datasets/acme/gated")
    assert "hf_wrong" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert ids("hf://datasets/acme/secret") == ["s0", "s1"]
    assert ids("hf://datasets/acme/gated") == ["g0", "g1"]


def test_what_is_not_there_is_told(hub: Hub) -> None:
    hub.dataset("acme/reviews", PUSHED)
    for spec, told in (
        ("hf://datasets/acme/none", "not there, or private"),
        ("hf://datasets/acme/reviews@gone/train", "has no revision 'gone'"),
        ("hf://datasets/acme/reviews/gone", "no such file or folder"),
        ("hf://models/acme/reviews", "name a data set, hf://datasets/OWNER/NAME"),
        ("hf://datasets/reviews", "name a data set, hf://datasets/OWNER/NAME"),
    ):
        with pytest.raises(InvalidRequest, match=told):
            open_source(spec, EMBEDDING)


def test_a_hub_that_is_away_is_no_rows_fault(hub: Hub) -> None:
    hub.dataset("acme/reviews", PUSHED)
    hub.failures = [503]
    with pytest.raises(Unavailable, match="the Hub: "):
        open_source("hf://datasets/acme/reviews/train", EMBEDDING)


def test_places_hold_for_data_sets_too(hub: Hub) -> None:
    hub.dataset("acme/reviews", PUSHED)
    hub.dataset("other/reviews", PUSHED)
    place = place_among(AllowedPlaces.of("hf://datasets/acme/"))
    for spec in ("hf://datasets/acme/reviews/train", "hf://datasets/acme/reviews@main/train"):
        assert len(list(open_source(spec, EMBEDDING, Columns(), USUAL, place))) == 380
    hub.asked.clear()
    for spec in ("hf://datasets/other/reviews/train", "hf://datasets/acme/../other/reviews/train"):
        with pytest.raises(InvalidRequest, match="in no place that runs may read"):
            open_source(spec, EMBEDDING, Columns(), USUAL, place)
    assert hub.asked == []


def test_the_extra_is_named_where_the_hubs_library_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "wherry.client.annotate.sources.hub", raising=False)
    monkeypatch.delattr("wherry.client.annotate.sources.hub", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'wherry\[hub\]'"):
        open_source("hf://datasets/acme/reviews", EMBEDDING)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("hf://datasets/a/b", ("a/b", "", "")),
        ("HF://datasets/a/b@v1/c/d.csv", ("a/b", "v1", "c/d.csv")),
        ("hf://datasets/a/b/c@v1", ("a/b", "v1", "c")),
        ("hf://datasets/a/b@refs/convert/parquet/c", ("a/b", "refs/convert/parquet", "c")),
        ("hf://datasets/a/b@refs%2Fpr%2F7", ("a/b", "refs/pr/7", "")),
        ("hf://datasets/a/b@main/odd@name.csv", ("a/b", "main", "odd@name.csv")),
    ],
)
def test_a_spelling_is_fsspecs(spec: str, found: tuple[str, str, str]) -> None:
    assert hub_spelling(spec) == found
    assert hub_spelling(str(hub_spelling(spec))) == found
