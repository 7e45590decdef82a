from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wherry.protocol.env_file import EnvFileError, env_text, load_env, read_env, write_private

VALUES = {
    "WHERRY_REDIS_URL": "rediss://u:p%23@host:1/0?ssl_ca_certs=/a&ssl_cert_reqs=none",
    "SPACED": "two words",
    "QUOTED": 'it\'s "so" $HOME `x` \\n #no remark',
    "EMPTY": "",
    "PLAIN": "a-b.c",
}


def test_what_is_written_is_read_by_us_and_by_a_shell(tmp_path: Path) -> None:
    path = tmp_path / "fleet.env"
    write_private(path, env_text(VALUES, head="One line\n\nand another"))
    assert path.read_text().startswith("# One line\n#\n# and another\n")
    assert read_env(path) == VALUES
    shell = f"set -a; . {path}; env -0"
    seen = subprocess.run(["sh", "-c", shell], capture_output=True, check=True).stdout
    shown = dict(word.split("=", 1) for word in seen.decode().split("\0") if word)
    assert {name: shown[name] for name in VALUES} == VALUES


def test_the_ways_of_other_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    path.write_text("\n# remark\n  # another\nexport A=1\nB=\"x y\"\nC=\nD='#'\nE=x#y\n")
    assert read_env(path) == {"A": "1", "B": "x y", "C": "", "D": "#", "E": "x#y"}


@pytest.mark.parametrize("line", ["secret", "A B=secret", "A=sec ret", "A='secret", "1A=secret"])
def test_a_line_that_is_none_is_named_and_not_shown(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.env"
    path.write_text(f"A=1\n{line}\n")
    with pytest.raises(EnvFileError, match=r"a\.env: line 2: expected NAME=value") as raised:
        read_env(path)
    assert "sec" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvFileError, match="none.env: cannot be read: No such file"):
        read_env(tmp_path / "none.env")


def test_the_environment_goes_before_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    write_private(path, "A=1\nB=2\nC=3\n")
    environment = {"A": "other", "B": "2"}
    assert load_env(path, environment) == [
        f"A is another in the environment than in {path}, and goes before"
    ]
    assert environment == {"A": "other", "B": "2", "C": "3"}


def test_a_file_that_others_may_read_is_remarked_on(tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    write_private(path, "A=1\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_env(path, {}) == []
    path.chmod(0o640)
    assert load_env(path, {}) == [f"{path} can be read by other users: chmod 600 {path}"]


def test_a_private_file_is_replaced_with_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    path.write_text("old")
    path.chmod(0o666)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("value", ["x\ny", "x\n", "x\ry", "x\u2028y"])
def test_a_line_break_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="A has a line break"):
        env_text({"A": value})
