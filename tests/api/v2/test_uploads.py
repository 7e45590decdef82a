"""Uploads: folders as forms, archives as bodies; in parts into the store, and out of it again."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile

import httpx
import pytest

from wherry.api.core import upload_intake
from wherry.client.annotate.sources.choose import open_source
from wherry.jobs.expired import READ_OUT_S, Remover
from wherry.jobs.stores import open_store
from wherry.jobs.uploads import get_upload, read_manifest
from wherry.protocol.errors import InvalidRequest
from wherry.protocol.places import AllowedPlaces
from wherry.runs.sources import run_place
from wherry.tasks.registry import get_task

from ...support.waiting import until

IMAGES = get_task("image-classification")
FOLDER = {"b.png": b"b" * 50, "a/é.png": b"a" * 70, "a/n.txt": b"n", "empty.png": b""}


def form(files):
    return [("file", (name, data)) for name, data in files.items()]


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def rows_of(source, runs):
    places = AllowedPlaces.of(runs.jobs.run_places)
    place = run_place(places, runs.queue, runs.store, runs.jobs)
    return [
        (row.id, getattr(row, "values", None)) for row in open_source(source, IMAGES, place=place)
    ]


def blobs(runs):
    return [blob.key for blob in runs.store.blobs("upload/")]


EXPECTED = [
    ("a/é.png", {"images": b"a" * 70}),
    ("b.png", {"images": b"b" * 50}),
    ("empty.png", None),
]


@pytest.mark.parametrize("part_bytes", [7, 64, 1 << 20])
@pytest.mark.parametrize("kind", ["form", "zip", "tar"])
def test_what_is_sent_is_a_folder_to_a_run(http, runs, monkeypatch, kind, part_bytes):
    monkeypatch.setattr(upload_intake, "PART_BYTES", part_bytes)
    if kind == "form":
        answer = http.post("/v2/uploads", files=form(FOLDER), data={"name": "cats"})
    else:
        data = zipped(FOLDER) if kind == "zip" else tarred(FOLDER)
        answer = http.post("/v2/uploads", params={"name": "cats"}, content=data)
    assert answer.status_code == 201, answer.text
    upload = answer.json()
    assert (upload["name"], upload["files"]) == ("cats", 4)
    assert upload["archive"] == (None if kind == "form" else kind)
    assert upload["source"] == f"upload:{upload['id']}"
    assert http.get(answer.headers["location"]).json() == upload
    assert rows_of(upload["source"], runs) == EXPECTED
    assert rows_of(f"{upload['source']}/a", runs) == [("é.png", {"images": b"a" * 70})]
    assert rows_of(f"{upload['source']}/*.png", runs) == EXPECTED[1:]
    assert http.delete(answer.headers["location"]).status_code == 204
    assert blobs(runs) == []
    assert http.get(answer.headers["location"]).status_code == 404
    with pytest.raises(InvalidRequest, match="is gone"):
        rows_of(upload["source"], runs)


def test_one_file_is_that_file(http, runs):
    sent = http.post("/v2/uploads", files=form({"x/photo.png": b"x"})).json()
    assert rows_of(sent["source"], runs) == [("photo.png", {"images": b"x"})]
    sent = http.post("/v2/uploads", files=form({"photos.zip": zipped(FOLDER)})).json()
    assert sent["files"] == 1
    assert rows_of(f"{sent['source']}/photos.zip/a", runs) == [("é.png", {"images": b"a" * 70})]


def test_names_in_an_upload_lead_nowhere_else(http, runs, tmp_path):
    secret = tmp_path / "s.png"
    secret.write_bytes(b"secret")
    table = f"file_name\nb.png\n{secret}\nfile://{secret}\n../../{secret}\ns3://x/y\n"
    sent = http.post("/v2/uploads", files=form({**FOLDER, "t.csv": table.encode()})).json()
    rows = rows_of(f"{sent['source']}/t.csv", runs)
    assert rows[0][1] == {"images": b"b" * 50}
    assert [values for _, values in rows[1:]] == [None] * 4


@pytest.mark.parametrize("name", ["../x.png", "/etc/x.png", "a/../../x.png", "C:/x.png"])
def test_a_name_that_leads_out_is_refused_and_nothing_stays(http, runs, name):
    for answer in (
        http.post("/v2/uploads", files=form({**FOLDER, name: b"x"})),
        http.post("/v2/uploads", content=zipped({**FOLDER, name: b"x"})),
        http.post("/v2/uploads", content=tarred({**FOLDER, name: b"x"})),
    ):
        assert answer.status_code == 400, answer.text
        assert "leads out" in answer.json()["error"]
    assert blobs(runs) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "neither a zip nor a tar"),
        (b"hello", "neither a zip nor a tar"),
        (tarred(FOLDER, "w:gz"), "neither a zip nor a tar"),
        (zipped(FOLDER)[:-30], "is no zip archive"),
        (tarred(FOLDER)[:700], "is no tar archive"),
        (zipped({}), "has no file"),
    ],
)
def test_a_body_that_is_no_archive_is_refused(http, runs, content, told):
    answer = http.post("/v2/uploads", content=content)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["error"]
    assert blobs(runs) == []


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("multipart/form-data", b"x", "boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\n", "incomplete"),
        ("multipart/form-data; boundary=x", b"nonsense", "form"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\na\r\n--x--\r\n',
            "has no file",
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
            "without a name",
        ),
    ],
)
def test_a_form_that_is_none_is_refused(http, runs, kind, body, told):
    answer = http.post("/v2/uploads", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["error"]


def test_two_files_of_one_name_are_refused(http, runs):
    files = [("file", ("a.png", b"1")), ("file", ("./a.png", b"2"))]
    answer = http.post("/v2/uploads", files=files)
    assert answer.status_code == 400
    assert "two files 'a.png'" in answer.json()["error"]
    assert blobs(runs) == []


def test_too_much_is_refused_before_all_of_it_is_stored(http, runs, api_settings, monkeypatch):
    monkeypatch.setattr(upload_intake, "PART_BYTES", 1000)
    monkeypatch.setattr(api_settings, "max_upload_bytes", 5000)
    many = {f"{n}.png": bytes(600) for n in range(10)}
    for answer in (
        http.post("/v2/uploads", files=form(many)),
        http.post("/v2/uploads", content=zipped({"a.png": bytes(range(256)) * 40}) + bytes(6000)),
    ):
        assert answer.status_code == 413, answer.text
        assert "WHERRY_MAX_UPLOAD_BYTES" in answer.json()["error"]
    assert blobs(runs) == []


def test_a_client_that_leaves_leaves_nothing(http, runs, monkeypatch):
    monkeypatch.setattr(upload_intake, "PART_BYTES", 100)

    def body():
        yield zipped({"a.png": bytes(range(256)) * 40})[:1000]
        until(lambda: blobs(runs))  # what came is in the store
        raise ConnectionError("gone")

    with pytest.raises((httpx.HTTPError, ConnectionError)):
        http.post("/v2/uploads", content=body())
    until(lambda: not blobs(runs), timeout_s=10)
    assert blobs(runs) == []


def test_an_upload_is_its_tenant_s(tenants, keyed_runs):
    acme, beta = tenants["acme"], tenants["beta"]
    sent = acme.post("/v2/uploads", files=form(FOLDER)).json()
    path = f"/v2/uploads/{sent['id']}"
    assert acme.get(path).status_code == 200
    assert beta.get(path).status_code == beta.delete(path).status_code == 404
    asked = {"source": sent["source"], "model": "image-classification"}
    refused = beta.post("/v2/runs", json=asked)
    assert refused.status_code == 400
    assert "no upload" in refused.json()["error"]
    assert acme.post("/v2/runs", json=asked).status_code == 201
    assert tenants["reader"].post("/v2/uploads", files=form(FOLDER)).status_code == 403


def test_an_upload_stays_while_a_run_reads_it(http, runs):
    sent = http.post("/v2/uploads", files=form(FOLDER)).json()
    path = f"/v2/uploads/{sent['id']}"
    asked = {"source": f"{sent['source']}/a", "model": "image-classification", "id": "r"}
    assert http.post("/v2/runs", json=asked).status_code == 201
    answer = http.delete(path)
    assert (answer.status_code, answer.json()["error_type"]) == (409, "conflict")
    http.post("/v2/runs/r/cancel")
    assert http.delete(path).status_code == 204
    assert blobs(runs) == []


def test_an_expired_upload_goes_once_no_run_reads_it(http, runs):
    kept = http.post("/v2/uploads", files=form(FOLDER)).json()
    gone = http.post("/v2/uploads", files=form(FOLDER)).json()
    asked = {"source": kept["source"], "model": "image-classification", "id": "r"}
    assert http.post("/v2/runs", json=asked).status_code == 201
    long_ago = (time.time() - READ_OUT_S - 60) * 1000
    prefix = runs.jobs.key_prefix
    for each in (kept, gone):
        runs.queue.redis.zadd(f"{prefix}:expiring:upload", {each["id"]: long_ago})
    remover = Remover(runs.queue, open_store(runs.jobs), runs.jobs)
    assert remover.remove().uploads == 1
    assert {key.split("/")[1] for key in blobs(runs)} == {kept["id"]}
    assert len(rows_of(kept["source"], runs)) == 3
    http.post("/v2/runs/r/cancel")
    assert remover.remove().uploads == 1
    assert blobs(runs) == []


def test_an_expired_upload_is_not_there_for_who_asks(http, runs, monkeypatch):
    sent = http.post("/v2/uploads", files=form(FOLDER)).json()
    upload = runs.queue.run(get_upload(sent["id"], runs.jobs))
    assert [file.name for file in read_manifest(runs.store.get(upload.manifest))] == list(FOLDER)
    over = upload.model_copy(update={"expires_at": int(time.time()) - 1})
    runs.queue.redis.set(f"{runs.jobs.key_prefix}:upload:{sent['id']}", over.model_dump_json())
    assert http.get(f"/v2/uploads/{sent['id']}").status_code == 404
