"""wherry join-file: all that a worker elsewhere needs, or why none could work by it."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from wherry import __version__
from wherry.jobs import JobsSettings
from wherry.jobs.setting_names import remarks
from wherry.ops.join_file import Elsewhere, JoinError, JoinFile
from wherry.protocol.env_file import env_text, read_env, write_private
from wherry.workers.joining import join

from ..support.models import model
from ..support.nursery import Nursery

REDIS = "redis://:secret@192.0.2.1:6379/0"
S3 = {"WHERRY_STORE_URL": "s3://bucket/x", "WHERRY_S3_ACCESS_KEY_ID": "id"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(model("embedding"))
    return path


def made(monkeypatch: pytest.MonkeyPatch, elsewhere: Elsewhere, **values: str) -> JoinFile:
    """The file of a fleet with such an environment."""
    for name in list(os.environ):
        if name.startswith("WHERRY_"):
            monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return JoinFile(JobsSettings(), os.environ, elsewhere)


def test_it_has_what_a_worker_needs_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, models: Path
) -> None:
    found = made(
        monkeypatch,
        Elsewhere(),
        WHERRY_REDIS_URL="redis://:owner@127.0.0.1:6379/0",
        WHERRY_JOIN_REDIS_URL="redis://wherry-worker:secret@192.0.2.1:6379/0",
        WHERRY_JOIN_API_URL="http://192.0.2.1:8750",
        WHERRY_MODELS=str(models),
        WHERRY_KEY_PREFIX="mine",
        WHERRY_LEASE_TTL_S="5",
        WHERRY_RUN_PLACES="local",
        WHERRY_API_KEY_FILE="/key",
        WHERRY_DEVICE="cuda:1",
        WHERRY_S3_SECRET_ACCESS_KEY="s3cret",
        **S3,
    )
    assert found.values == {
        "WHERRY_JOIN_VERSION": __version__,
        "WHERRY_JOIN_MODELS": base64.b64encode(models.read_bytes()).decode(),
        "WHERRY_REDIS_URL": "redis://wherry-worker:secret@192.0.2.1:6379/0",
        "WHERRY_API_URL": "http://192.0.2.1:8750",
        "WHERRY_KEY_PREFIX": "mine",
        "WHERRY_LEASE_TTL_S": "5",
        "WHERRY_S3_SECRET_ACCESS_KEY": "s3cret",
        **S3,
    }
    assert found.notes == []


def test_the_authority_goes_along_and_its_path_does_not(
    monkeypatch: pytest.MonkeyPatch, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("PEM")
    (tmp_path / "api.pem").write_text("+API")
    found = made(
        monkeypatch,
        Elsewhere(),
        WHERRY_REDIS_URL=f"rediss://:secret@192.0.2.1:6379/0?ssl_ca_certs={tmp_path}/ca.pem",
        WHERRY_API_URL="https://192.0.2.1:8750",
        WHERRY_CA_FILE=f"{tmp_path}/api.pem",
        WHERRY_MODELS=str(models),
        **S3,
    )
    named = "rediss://:secret@192.0.2.1:6379/0?ssl_ca_certs=WHERRY_JOIN_CA"
    assert found.values["WHERRY_REDIS_URL"] == named
    assert base64.b64decode(found.values["WHERRY_JOIN_CA"]) == b"PEM+API"


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (
            {"WHERRY_REDIS_URL": "redis://:p@127.0.0.1:6379/0"},
            "no other machine gets in.*--redis-p",
        ),
        ({"WHERRY_REDIS_URL": "redis://:p@localhost:6379/0"}, "no other machine gets in"),
        ({"WHERRY_REDIS_URL": "unix:///run/redis.sock"}, "no other machine gets in"),
        (
            {"WHERRY_FAMILY_REDIS": "text=redis://:p@192.0.2.2/0,audio=redis://:p@127.0.0.1:1/0"},
            "WHERRY_FAMILY_REDIS: audio: 127.0.0.1 is this machine alone",
        ),
        (
            {"WHERRY_FAMILY_REDIS": "text=sentinel://:p@192.0.2.2,localhost:26379/main/0"},
            "WHERRY_FAMILY_REDIS: text: localhost is this machine alone",
        ),
        (
            {"WHERRY_REDIS_URL": "sentinel://:p@192.0.2.1:26379,127.0.0.1:26380/main/0"},
            "WHERRY_REDIS_URL: 127.0.0.1 is this machine alone",
        ),
        (
            {"WHERRY_REDIS_URL": "sentinel://:p@localhost/0?master_name=m;sentinel://:p@192.0.2.1"},
            "WHERRY_REDIS_URL: localhost is this machine alone",
        ),
        ({"WHERRY_STORE_URL": ""}, "a folder of this machine: --store-dir.*s3://"),
        ({"WHERRY_S3_ENDPOINT_URL": "http://127.0.0.1:9"}, "127.0.0.1 is this machine alone"),
        ({"WHERRY_MODELS": "/nowhere/models.toml"}, "/nowhere/models.toml: .*No such file"),
    ],
)
def test_what_no_worker_elsewhere_could_use_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, models: Path, values: dict[str, str], fault: str
) -> None:
    usual = {"WHERRY_REDIS_URL": REDIS, "WHERRY_MODELS": str(models), **S3}
    with pytest.raises(JoinError, match=fault) as raised:
        made(monkeypatch, Elsewhere(), **(usual | values))
    assert len(str(raised.value).splitlines()) == 1


def test_a_source_beside_models_toml_is_refused_and_a_path_noted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    path = tmp_path / "models.toml"
    path.write_text(
        model("near", "embedding", source="mine")
        + model("far", "embedding", source="/srv/models/far")
        + model("hub", "embedding", source="owner/model")
        + model("packed", "embedding", source="package:wherry.samples/weights")
    )
    values = {"WHERRY_REDIS_URL": REDIS, "WHERRY_MODELS": str(path), **S3}
    with pytest.raises(JoinError, match="model 'near': source 'mine' lies beside.*--models"):
        made(monkeypatch, Elsewhere(), **values)
    path.write_text(path.read_text().replace('"mine"', '"other/mine"'))
    found = made(monkeypatch, Elsewhere(), **values)
    assert found.notes[1:] == ["model 'far': the worker's machine needs /srv/models/far, too"]


def test_the_redis_of_families_goes_along_with_its_authority(
    monkeypatch: pytest.MonkeyPatch, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("PEM")
    ca = f"ssl_ca_certs={tmp_path}/ca.pem"
    sentinels = f"sentinels://u:p@192.0.2.2:26379,192.0.2.3:26379/main/0?{ca}"
    made_here = {
        "WHERRY_REDIS_URL": "rediss://u:p@192.0.2.1:6379/0",
        "WHERRY_FAMILY_REDIS": f"text=rediss://u:p@192.0.2.4:6379/1?{ca}, vision={sentinels}",
    }
    found = made(monkeypatch, Elsewhere(), WHERRY_MODELS=str(models), **S3, **made_here)
    [note] = [each for each in found.notes if "sentinels tell" in each]
    assert note.startswith("WHERRY_FAMILY_REDIS: vision:")
    there: dict[str, str] = dict(found.values)
    join(there, tmp_path / "there")
    settings = JobsSettings(
        redis_url=there["WHERRY_REDIS_URL"], family_redis=there["WHERRY_FAMILY_REDIS"]
    )
    brought = next((tmp_path / "there").rglob("ca.pem"))
    assert brought.read_text() == "PEM"
    own = f"ssl_ca_certs={brought}"
    assert settings.redis_url == "rediss://u:p@192.0.2.1:6379/0", "the system's authorities do"
    assert settings.own_redis == {
        "text": f"rediss://u:p@192.0.2.4:6379/1?{own}",
        "vision": f"sentinels://u:p@192.0.2.2:26379,192.0.2.3:26379/main/0?{own}",
    }


def test_models_elsewhere_are_named_in_the_place_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values = {"WHERRY_REDIS_URL": REDIS, "WHERRY_MODELS": str(tmp_path), **S3}
    with pytest.raises(JoinError, match="is a folder of models: --models says"):
        made(monkeypatch, Elsewhere(), **values)
    found = made(monkeypatch, Elsewhere(models=Path("/srv/models")), **values)
    assert found.values["WHERRY_MODELS"] == "/srv/models"


def test_what_is_open_is_noted(monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    found = made(
        monkeypatch,
        Elsewhere(store_dir=Path("/mnt/store")),
        WHERRY_REDIS_URL="redis://192.0.2.1:6379/0",
        WHERRY_MODELS=str(models),
    )
    assert found.values["WHERRY_STORE_DIR"] == "/mnt/store"
    [note] = found.notes
    assert "no password" in note


def test_the_pages_settings_for_systemd_make_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
    [block] = re.findall(r"^```ini\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "wherry.env").write_text(block)
    values = read_env(tmp_path / "wherry.env")
    assert remarks(values) == [], "each is a setting"
    shared = Elsewhere(Path("/srv/wherry/blobs"), Path("/srv/wherry/models.toml"))
    found = made(monkeypatch, shared, **values)
    assert found.values == {
        "WHERRY_JOIN_VERSION": __version__,
        "WHERRY_REDIS_URL": values["WHERRY_REDIS_URL"],
        "WHERRY_API_URL": "http://192.0.2.1:8750",
        "WHERRY_STORE_DIR": "/srv/wherry/blobs",
        "WHERRY_MODELS": "/srv/wherry/models.toml",
    }
    [note] = found.notes
    assert "it has Redis' own password" in note


Wherry = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def wherry(nursery: Nursery) -> Wherry:
    """Runs the command, in a folder and with no settings of ours."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("WHERRY_")}
    return partial(nursery.run, env={**env, "COLUMNS": "200"})


def test_the_command_writes_it_for_its_owner_alone(
    wherry: Wherry, models: Path, tmp_path: Path
) -> None:
    values = {"WHERRY_REDIS_URL": REDIS, "WHERRY_MODELS": str(models), **S3}
    write_private(tmp_path / "fleet.env", env_text(values))
    done = wherry(tmp_path, "--env-file", "fleet.env", "join-file")
    assert done.returncode == 0, done.stderr
    assert "secret" not in done.stdout + done.stderr
    path = tmp_path / "wherry.env"
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_env(path)["WHERRY_REDIS_URL"] == REDIS
    printed = wherry(tmp_path, "--env-file", "fleet.env", "join-file", "-o", "-")
    assert printed.stdout == path.read_text()


def test_the_file_is_read_before_options_that_have_variables(
    wherry: Wherry, tmp_path: Path
) -> None:
    write_private(tmp_path / "wherry.env", "WHERRY_DEVICE=tpu\n")
    done = wherry(tmp_path, "worker", "text", "--env-file", "wherry.env")
    assert done.returncode == 2
    assert "device 'tpu'" in done.stderr


def test_a_worker_that_may_not_join_ends_with_the_reason(wherry: Wherry, tmp_path: Path) -> None:
    values = {"WHERRY_JOIN_VERSION": "9.0.0", "WHERRY_REDIS_URL": REDIS}
    write_private(tmp_path / "wherry.env", env_text(values))
    for words in (
        ["worker", "text", "--env-file", "wherry.env"],
        ["--env-file", "wherry.env", "worker", "text"],
    ):
        done = wherry(tmp_path, *words)
        assert done.returncode == 78
        assert done.stderr.startswith("error: this is wherry"), done.stderr
    missing = wherry(tmp_path, "--env-file", "none.env", "worker", "text")
    assert (missing.returncode, missing.stderr) == (
        2,
        "error: none.env: cannot be read: No such file or directory\n",
    )
