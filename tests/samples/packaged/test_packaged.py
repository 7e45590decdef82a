from __future__ import annotations

from pathlib import Path

import pytest

from wherry.samples import packaged
from wherry.samples.packaged import BUILDERS, PACKAGES, available, build


def test_every_model_names_its_package() -> None:
    assert set(BUILDERS) == set(PACKAGES)


def test_all_are_installed_where_tests_run() -> None:
    assert all(map(available, BUILDERS))
    assert not available("image-classification")


def test_a_package_that_is_not_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(packaged.PACKAGES, "whisper-tiny.en", "no_such_package")
    assert not available("whisper-tiny.en")
    with pytest.raises(ValueError, match="'no_such_package' is not installed"):
        build("whisper-tiny.en", tmp_path / "made")
    assert not (tmp_path / "made").exists()
