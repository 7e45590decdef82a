"""Where a stack listens, and what it refuses: hosts of other machines, certificates of no use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from wherry.ops.checks import StackError
from wherry.ops.data_folder import DataFolder
from wherry.ops.exposure import Exposure, TlsFiles, is_loopback, machine_address, url_host
from wherry.ops.fleet_access import given_password, kept_secret, redis_access
from wherry.ops.ports import LOOPBACK
from wherry.ops.redis_access import RedisAccess, require_tls
from wherry.ops.redis_server import RedisServer, find_binary
from wherry.ops.services import api_command, flower_command


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    authority = trustme.CA()
    issued = authority.issue_cert("192.0.2.1")
    found = TlsFiles(tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(found.cert)
    issued.private_key_pem.write_to_path(found.key)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return found


def test_what_is_loopback() -> None:
    assert [h for h in ("127.0.0.1", "127.9.9.9", "localhost", "::1") if not is_loopback(h)] == []
    assert [h for h in ("0.0.0.0", "::", "192.0.2.1", "no.such.host.test") if is_loopback(h)] == []
    assert (url_host("::1"), url_host("localhost")) == ("[::1]", "localhost")


def test_what_it_is_called() -> None:
    assert (Exposure().name, Exposure().inward, Exposure().is_open) == (
        "127.0.0.1",
        "127.0.0.1",
        False,
    )
    wide = Exposure("0.0.0.0")
    assert (wide.name, wide.inward, wide.is_open) == (machine_address(), "127.0.0.1", True)
    assert Exposure("::").inward == "::1"
    assert Exposure("0.0.0.0", "fleet.test").name == "fleet.test"
    one = Exposure("192.0.2.1", "fleet.test")
    assert (one.name, one.inward) == ("fleet.test", "192.0.2.1")


def test_with_tls_our_own_call_it_as_the_certificate_does(tls: TlsFiles) -> None:
    assert Exposure("0.0.0.0", "fleet.test", tls).inward == "fleet.test"


def test_a_host_of_another_machine_is_refused() -> None:
    for host in ("198.51.100.7", "no.such.host.test"):
        with pytest.raises(StackError, match=rf"--host {host}: no address of this machine"):
            Exposure(host).check()
    Exposure("0.0.0.0").check()


def spoiled(path: Path) -> None:
    path.write_text("nothing")


def exchanged(path: Path) -> None:
    trustme.CA().issue_cert("other").private_key_pem.write_to_path(path)


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("cert", Path.unlink, "--tls-cert .*cert.pem: No such file"),
        ("key", Path.unlink, "--tls-key .*key.pem: No such file"),
        ("ca", Path.unlink, "--tls-ca .*ca.pem: No such file"),
        ("cert", spoiled, "are no pair"),
        ("key", exchanged, "are no pair: KEY_VALUES_MISMATCH"),
        ("ca", spoiled, "--tls-ca .*ca.pem: holds no certificate"),
    ],
)
def test_files_of_no_use_are_named(
    tls: TlsFiles, name: str, spoil: Callable[[Path], None], said: str
) -> None:
    tls.check()
    spoil(getattr(tls, name))
    with pytest.raises(StackError, match=said):
        tls.check()


def test_a_certificate_that_nobody_would_trust_is_told(tls: TlsFiles) -> None:
    with pytest.raises(StackError, match=r"would not trust it as 192\.0\.2\.9: .*--address names"):
        tls.check_trust("192.0.2.9")
    with pytest.raises(StackError, match="unable to get local issuer certificate.*--tls-ca who"):
        TlsFiles(tls.cert, tls.key).check_trust("192.0.2.1")
    tls.check_trust("192.0.2.1")


def test_with_tls_a_name_has_to_be_known_here(tls: TlsFiles) -> None:
    Exposure("0.0.0.0", "192.0.2.1", tls).check()
    authority = trustme.CA()
    issued = authority.issue_cert("no.such.host.test")
    issued.cert_chain_pems[0].write_to_path(tls.cert)
    issued.private_key_pem.write_to_path(tls.key)
    assert tls.ca is not None
    authority.cert_pem.write_to_path(tls.ca)
    with pytest.raises(StackError, match="--address no.such.host.test: .*this machine has to know"):
        Exposure("0.0.0.0", "no.such.host.test", tls).check()


def test_an_open_redis_has_a_password_of_its_own_making_or_is_refused(folder: DataFolder) -> None:
    assert redis_access(Exposure(), folder, None) == RedisAccess()
    assert not list(folder.path.iterdir())
    made = redis_access(Exposure("0.0.0.0"), folder, None)
    assert len(made.password) > 40
    assert len(made.worker_password) > 40
    assert made.password != made.worker_password
    assert redis_access(Exposure("0.0.0.0"), folder, None) == made, "the next start has the same"
    for secret in (folder.redis_password, folder.worker_password):
        assert secret.stat().st_mode & 0o777 == 0o600
    assert redis_access(Exposure("0.0.0.0"), folder, "mine").password == "mine"
    with pytest.raises(StackError, match=r"opens Redis on 0\.0\.0\.0 and its password is empty"):
        redis_access(Exposure("0.0.0.0"), folder, "")
    folder.redis_password.write_text("\n")
    with pytest.raises(StackError, match="redis-password is empty: remove it"):
        kept_secret(folder.redis_password)


def test_a_password_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WHERRY_REDIS_PASSWORD", raising=False)
    assert given_password(None) is None
    monkeypatch.setenv("WHERRY_REDIS_PASSWORD", "of-environment")
    assert given_password(None) == "of-environment"
    (tmp_path / "password").write_text("of-file\n")
    assert given_password(tmp_path / "password") == "of-file"
    with pytest.raises(StackError, match="--redis-password-file .*none: "):
        given_password(tmp_path / "none")
    monkeypatch.setenv("WHERRY_REDIS_PASSWORD", "two words")
    with pytest.raises(StackError, match="expected one word") as raised:
        given_password(None)
    assert "two" not in str(raised.value)


def test_urls_and_command_lines(tls: TlsFiles, tmp_path: Path) -> None:
    plain = RedisAccess(Exposure("192.0.2.1"), "a/b", "c:d")
    assert plain.arguments(7) == ["--bind", "127.0.0.1", "192.0.2.1", "--port", "7"]
    assert plain.url(7) == "redis://:a%2Fb@127.0.0.1:7/0"
    assert plain.worker_url(7) == "redis://wherry-worker:c%3Ad@192.0.2.1:7/0"
    sixth = RedisAccess(Exposure("::"))
    assert sixth.arguments(7)[:3] == ["--bind", LOOPBACK, "::"]
    over = RedisAccess(Exposure("0.0.0.0", "fleet.test", tls), "p")
    assert over.arguments(7)[:6] == ["--bind", "0.0.0.0", "--port", "0", "--tls-port", "7"]
    ca = f"ssl_ca_certs={tls.ca}"
    assert over.url(7) == f"rediss://:p@127.0.0.1:7/0?{ca}&ssl_check_hostname=false"
    assert over.worker_url(7) == f"rediss://:p@fleet.test:7/0?{ca}"
    asked = api_command(1, tls=tls)
    assert asked[asked.index("--ssl-certfile") + 1] == str(tls.cert)
    assert asked[asked.index("--ssl-keyfile") + 1] == str(tls.key)
    assert f"--certfile={tls.cert}" in flower_command(1, tls=tls)


def test_a_server_without_tls_is_named_with_what_to_install(tls: TlsFiles, tmp_path: Path) -> None:
    try:
        require_tls(find_binary(), tmp_path)
    except StackError as error:
        assert "was built without TLS" in str(error)
        assert "install redis-server or valkey-server" in str(error)
        server = RedisServer(tmp_path, access=RedisAccess(Exposure(tls=tls)))
        with pytest.raises(StackError, match="was built without TLS"):
            server.start()
    else:  # this machine's own server speaks it
        with RedisServer(tmp_path, access=RedisAccess(Exposure(tls=tls), "p")):
            pass
