"""A server that cannot start as it is told to: a line for each fault, and no traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wherry.api.app import create_app

MODELS = '[[models]]\nname = "a"\ntask = "embedding"\nbackend = "stub"\n'


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WHERRY_MAX_ROWS_PER_JOB", "many", "WHERRY_MAX_ROWS_PER_JOB: Input should be"),
        ("WHERRY_RESULT_TTL_S", "0", "WHERRY_RESULT_TTL_S: Input should be"),
        ("WHERRY_REDIS_URL", "half a secret", "WHERRY_REDIS_URL: cannot be read"),
        ("WHERRY_STORE_URL", "ftp://x", "WHERRY_STORE_URL 'ftp://x'"),
        ("WHERRY_WEBHOOK_SECRETS", "nope", "WHERRY_WEBHOOK_SECRETS: a secret is"),
        ("WHERRY_URL_SCHEMES", "ftp", "WHERRY_URL_SCHEMES: "),
        ("WHERRY_OUTBOUND_NETWORKS", "here", "WHERRY_OUTBOUND_NETWORKS: "),
        ("WHERRY_API_KEYS", "/none", "/none: No such file"),
        ("WHERRY_MODELS", "none.toml", "none.toml: no such file"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(
    name: str,
    value: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models.toml").write_text(MODELS)
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        create_app()
    assert ended.value.code == os.EX_CONFIG
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}")
    assert "secret'" not in line


def test_every_setting_at_fault_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHERRY_MAX_ROWS_PER_JOB", "many")
    monkeypatch.setenv("WHERRY_INFER_TIMEOUT_S", "-1")
    with pytest.raises(SystemExit):
        create_app()
    assert len(capsys.readouterr().err.splitlines()) == 2
