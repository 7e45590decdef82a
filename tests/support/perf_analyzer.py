"""Triton's perf_analyzer from its wheel, with a glibc as new as it wants, in one folder."""

from __future__ import annotations

import json
import platform
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REQUIREMENT = "perf_analyzer==2.60.0"

#: What its wheel says that it was built for.
_PLATFORM, _GLIBC = "manylinux_2_38_x86_64", (2, 38)

#: A distribution's release that has such a glibc.
_RELEASES = {"Debian": "trixie", "Ubuntu": "noble"}
_PACKAGES = ("libc6", "libgcc-s1", "libssl3t64", "libstdc++6", "libzstd1", "zlib1g")

_PATIENCE_S = 300


class UnobtainableError(Exception):
    """This machine cannot have perf_analyzer; says why."""


@dataclass(frozen=True)
class Run:
    """What came of a run: everything it said, and each request with its answers, by load."""

    status: int
    said: str
    #: Concurrency -> requests, as `--profile-export-file` has them.
    requests: dict[int, list[dict[str, Any]]]


def fetch(folder: Path) -> Path:
    """Put perf_analyzer into a folder; the command to call."""
    folder.mkdir(parents=True, exist_ok=True)
    command = folder / "run-perf-analyzer"
    if not command.exists():
        binary = _from_wheel(folder)
        started = f'"{binary}"'
        if not _new_enough():
            libraries = _newer_glibc(folder)
            started = f'"{libraries}/ld-linux-x86-64.so.2" --library-path "{libraries}" {started}'
        command.write_text(f'#!/bin/sh\nexec {started} "$@"\n')
        command.chmod(0o755)
    return command


def run(command: Path, folder: Path, *arguments: str, timeout_s: float = 300) -> Run:
    """Run it to its end in a folder."""
    exported = folder / "requests.json"
    exported.unlink(missing_ok=True)
    done = subprocess.run(
        [command, *arguments, "--profile-export-file", exported],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
    )
    told = json.loads(exported.read_text()) if exported.exists() else {"experiments": []}
    requests = {e["experiment"]["value"]: e["requests"] for e in told["experiments"]}
    return Run(done.returncode, done.stdout, requests)


def _new_enough() -> bool:
    name, version = platform.libc_ver()
    return name == "glibc" and tuple(map(int, version.split(".")[:2])) >= _GLIBC


def _from_wheel(folder: Path) -> Path:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise UnobtainableError("perf_analyzer's wheel is for Linux on x86-64")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    _do(*pip, "--only-binary", ":all:", "--platform", _PLATFORM, REQUIREMENT)
    [wheel] = folder.glob("perf_analyzer-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        binary = Path(packed.extract("perf_analyzer/bin/perf_analyzer", folder))
    binary.chmod(0o755)
    return binary


def _newer_glibc(folder: Path) -> Path:
    """The libraries of a later release, from the archive that this machine's apt has."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise UnobtainableError("perf_analyzer wants glibc 2.38, and there is no apt to fetch one")
    archive, release = _archive()
    apt = folder / "apt"
    for needed in ("lists/partial", "archives/partial", "debs"):
        (apt / needed).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb {archive} {release} main\n")
    options = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache::Archives": apt / "archives",
        "Dir::Cache::PkgCache": "",
        "Dir::Cache::SrcPkgCache": "",
        "APT::Sandbox::User": "",
    }
    asked = ["apt-get", "--quiet", *(f"-o{name}={value}" for name, value in options.items())]
    _do(*asked, "update")
    _do(*asked, "download", *_PACKAGES, cwd=apt / "debs")
    for package in (apt / "debs").glob("*.deb"):
        _do("dpkg-deb", "--extract", str(package), str(folder / "root"))
    return folder / "root/usr/lib/x86_64-linux-gnu"


def _archive() -> tuple[str, str]:
    """The URL of the distribution's own archive, and the release that is new enough."""
    targets = _do(
        *("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages")
    )
    for line in targets.splitlines():
        origin, _, url = line.partition(" ")
        if origin in _RELEASES and url.rstrip("/").endswith(f"/{origin.lower()}"):
            return url, _RELEASES[origin]
    raise UnobtainableError(
        "perf_analyzer wants glibc 2.38, and apt knows no archive of Debian or Ubuntu here"
        " (has apt-get update run?)"
    )


def _do(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise UnobtainableError(f"{shlex.join(command[:3])}: no end in {_PATIENCE_S} s") from None
    if done.returncode:
        raise UnobtainableError(f"{shlex.join(command[:3])}: {done.stderr.strip()[-500:]}")
    return done.stdout


def flags(**named: object) -> Sequence[str]:
    """Its long flags from names: `flags(input_data="a.json")`."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in named.items()]
