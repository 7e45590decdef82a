"""A Dockerfile read, and built without Docker: a folder of overlays over this machine's own root.

It stands in for `docker build` and `docker run` where neither is: FROM an image is this machine
(which has the same Python), every other line is done as it says, in a mount namespace of its own
that nothing outside of it sees. It needs root.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

#: Minutes that a RUN line may take: it installs.
_RUN_TIMEOUT_S = 600


@dataclass(frozen=True)
class Instruction:
    word: str
    value: str


@dataclass(frozen=True)
class Stage:
    """What follows a FROM."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def of(self, word: str) -> list[str]:
        return [each.value for each in self.instructions if each.word == word]


def read(text: str) -> list[Stage]:
    """A Dockerfile's stages; what stands before the first FROM is left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n", " ", "\n".join(lines))
    stages: list[Stage] = []
    found: list[Instruction] = []
    for line in filter(str.strip, whole.splitlines()):
        word, _, value = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = value.partition(" AS ")
            found = []
            stages.append(Stage(base, name, ()))
        elif stages:
            found.append(Instruction(word, " ".join(value.split())))
            stages[-1] = Stage(stages[-1].base, stages[-1].name, tuple(found))
    return stages


@dataclass
class Built:
    """A stage as it is after its last line."""

    root: Path
    lower: str
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"


class Builder:
    """Builds stages in a mount namespace; `context` is what .dockerignore lets through."""

    def __init__(self, folder: Path, context: Path, holder: int) -> None:
        self._folder, self._context = folder, context
        self._enter = ["nsenter", f"--target={holder}", "--mount", "--"]
        self.stages: dict[str, Built] = {}

    def outside(self, *command: str | Path) -> str:
        """Run a command in the namespace. Answers what it printed."""
        done = subprocess.run(
            [*self._enter, *map(str, command)],
            capture_output=True,
            text=True,
            timeout=_RUN_TIMEOUT_S,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def build(self, stages: Sequence[Stage], arguments: Mapping[str, str]) -> Built:
        """Build every stage in turn. Answers the last."""
        for number, stage in enumerate(stages):
            built = self._from(stage, number)
            for each in stage.instructions:
                self._do(built, each, arguments)
            self.stages[stage.name] = built
        return built

    def command(self, built: Built, command: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """The command line that runs a command in a stage, as its user and with no privilege."""
        given = [f"{name}={value}" for name, value in {**built.env, **env}.items()]
        uid, _, gid = built.user.partition(":")
        become = [
            *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"),
            *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
        ]
        in_place = ["sh", "-c", f'cd {shlex.quote(built.workdir)} && exec "$@"', "sh", *command]
        become = become if built.user != "0:0" else []
        return [*self._enter, "chroot", str(built.root), *become, "env", "-i", *given, *in_place]

    def _from(self, stage: Stage, number: int) -> Built:
        place = self._folder / f"{number}-{stage.name or 'last'}"
        base = self.stages.get(stage.base)
        lower = f"{base.root.parent / 'upper'}:{base.lower}" if base else "/"
        for name in ("upper", "work", "root"):
            self.outside("mkdir", "-p", place / name)
        options = f"lowerdir={lower},upperdir={place / 'upper'},workdir={place / 'work'}"
        self.outside("mount", "-t", "overlay", "overlay", "-o", options, place / "root")
        for name in ("dev", "proc"):
            self.outside("mount", "--rbind", f"/{name}", place / "root" / name)
        if base:
            return Built(place / "root", lower, dict(base.env), base.workdir)
        # Of this machine, what an image has: its own programs, and how packages are reached.
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "npm_"))}
        env = {**kept, "PATH": os.environ["PATH"], "HOME": "/root"}
        return Built(place / "root", lower, env)

    def _do(self, built: Built, each: Instruction, arguments: Mapping[str, str]) -> None:
        if each.word == "ARG":
            name, _, default = each.value.partition("=")
            value = arguments.get(name, default)
            if value:
                built.env[name] = value
        elif each.word == "ENV":
            for word in shlex.split(each.value):
                name, _, value = word.partition("=")
                built.env[name] = value.replace("$PATH", built.env["PATH"])
        elif each.word == "WORKDIR":
            built.workdir = os.path.join(built.workdir, each.value)  # noqa: PTH118 # as Docker does
            self.outside("mkdir", "-p", f"{built.root}{built.workdir}")
        elif each.word == "COPY":
            self._copy(built, each.value)
        elif each.word == "RUN":
            assert built.user == "0:0"
            self.outside(*self.command(built, ["sh", "-c", each.value], {})[len(self._enter) :])
        elif each.word == "USER":
            built.user = each.value
        else:
            assert each.word in {"LABEL", "CMD"}, each.word

    def _copy(self, built: Built, value: str) -> None:
        words, source = value.split(), self._context
        if words[0].startswith("--from="):
            source = self.stages[words.pop(0).partition("=")[2]].root
        *names, into = words
        target = Path(f"{built.root}{os.path.join(built.workdir, into)}")  # noqa: PTH118
        self.outside("mkdir", "-p", target)
        for name in names:
            path = source / name.lstrip("/")
            # A folder's content is copied, not the folder.
            what = f"{path}/." if self._is_folder(path) else path
            self.outside("cp", "-a", what, target)

    def _is_folder(self, path: Path) -> bool:
        done = subprocess.run([*self._enter, "test", "-d", str(path)], check=False)
        return done.returncode == 0


def can_build() -> str:
    """Why this machine cannot build; "" if it can."""
    if os.geteuid() != 0:
        return "needs root, to mount"
    for name in ("unshare", "nsenter", "setpriv", "chroot"):
        if not shutil.which(name):
            return f"needs {name}, of Debian's util-linux"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "may not unshare mounts"


@contextmanager
def builder(folder: Path, context: Path) -> Iterator[Builder]:
    """A namespace with an empty file system at `folder`; all is gone at the end."""
    holder = subprocess.Popen(
        [
            *("setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--propagation=private"),
            *("sh", "-c", "echo; exec sleep infinity"),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        found = Builder(folder, context, holder.pid)
        # Of its own: an overlay's upper folder may not lie within the lower one.
        found.outside("mount", "-t", "tmpfs", "tmpfs", folder)
        yield found
    finally:
        holder.kill()
        with suppress(subprocess.TimeoutExpired):
            holder.wait(timeout=30)
        assert holder.stdout is not None
        holder.stdout.close()
