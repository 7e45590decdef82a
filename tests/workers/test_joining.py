"""What a worker does with the file that wherry join-file made for it, and what it refuses."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from wherry import __version__
from wherry.workers.joining import CannotJoinError, join

MODELS = b'[[models]]\nname = "m"\ntask = "embedding"\n'


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_process_without_such_a_file_is_left_alone(tmp_path: Path) -> None:
    environment = {"WHERRY_STORE_DIR": "/nowhere"}
    assert join(environment, tmp_path) == []
    assert environment == {"WHERRY_STORE_DIR": "/nowhere"}
    assert not list(tmp_path.iterdir())


def test_what_it_brings_is_put_where_settings_name_it(tmp_path: Path) -> None:
    environment = {
        "WHERRY_JOIN_VERSION": __version__,
        "WHERRY_JOIN_MODELS": packed(MODELS),
        "WHERRY_JOIN_CA": packed(b"PEM"),
        "WHERRY_REDIS_URL": "rediss://w:p%23@192.0.2.1:6379/0?ssl_ca_certs=WHERRY_JOIN_CA&ssl_cert_reqs=required",
    }
    assert join(environment, tmp_path) == []
    models, authority = (Path(environment[f"WHERRY_{n}"]) for n in ("MODELS", "CA_FILE"))
    assert (models.read_bytes(), authority.read_bytes()) == (MODELS, b"PEM")
    assert models.stat().st_mode & 0o077 == 0
    url = urlsplit(environment["WHERRY_REDIS_URL"])
    assert url.netloc == "w:p%23@192.0.2.1:6379"
    assert parse_qs(url.query) == {
        "ssl_ca_certs": [str(authority)],
        "ssl_cert_reqs": ["required"],
    }
    again = dict(environment)
    join(again, tmp_path)
    assert again == environment


def test_another_file_of_models_is_taken_where_it_is_named(tmp_path: Path) -> None:
    environment = {
        "WHERRY_JOIN_VERSION": __version__,
        "WHERRY_JOIN_MODELS": packed(MODELS),
        "WHERRY_MODELS": "/srv/models.toml",
    }
    join(environment, tmp_path)
    assert environment["WHERRY_MODELS"] == "/srv/models.toml"
    assert not list(tmp_path.iterdir())


def test_a_url_that_trusts_others_keeps_to_them(tmp_path: Path) -> None:
    url = "rediss://w:p@192.0.2.1:6379/0"
    environment = {"WHERRY_JOIN_CA": packed(b"PEM"), "WHERRY_REDIS_URL": url}
    join(environment, tmp_path)
    assert environment["WHERRY_REDIS_URL"] == url


def test_a_store_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    store = tmp_path / "store"
    environment = {"WHERRY_JOIN_VERSION": __version__, "WHERRY_STORE_DIR": str(store)}
    with pytest.raises(CannotJoinError, match=f"there is no folder {store}: mount"):
        join(environment, tmp_path)
    assert not store.exists(), "a folder of its own would be nobody else's"
    store.mkdir()
    join(environment, tmp_path)


def beside(version: str, by: int) -> str:
    major, minor, *_ = version.split(".")
    return f"{major}.{int(minor) + by}.0"


def test_a_version_beside_ours_is_remarked_on_and_one_further_refused(tmp_path: Path) -> None:
    [remark] = join({"WHERRY_JOIN_VERSION": beside(__version__, 1)}, tmp_path)
    assert beside(__version__, 1) in remark
    for far in (beside(__version__, 2), "9.0.0"):
        with pytest.raises(CannotJoinError, match=rf"the fleet's is {far}.*pip install"):
            join({"WHERRY_JOIN_VERSION": far}, tmp_path)


def test_a_broken_file_is_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(CannotJoinError, match="WHERRY_JOIN_MODELS is broken: make") as raised:
        join({"WHERRY_JOIN_MODELS": "!secret!"}, tmp_path)
    assert "secret" not in str(raised.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotJoinError, match="start in a folder of your own"):
        join({"WHERRY_JOIN_MODELS": packed(MODELS)}, tmp_path / "file")
