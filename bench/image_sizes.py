"""What an image of each role weighs, without its base: bytes of all that its extras bring.

Read off this environment, where `make install` has put every extra: a package's files, and those of
all that it needs. `python -m bench.image_sizes` prints the tables of docs/containers.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OURS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def needs(requirements: list[str], extra: str = "") -> Iterator[Requirement]:
    """Those that hold on this machine."""
    for line in requirements:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def closure(requirement: Requirement, seen: dict[str, set[str]]) -> None:
    """Note all that a requirement brings: packages, and the extras that were asked of them."""
    name = canonicalize_name(requirement.name)
    asked = seen.setdefault(name, set())
    new = ({""} | requirement.extras) - asked
    asked |= new
    for extra in new:
        if name == "wherry":
            lines = OURS["optional-dependencies"][extra] if extra else OURS["dependencies"]
            found = list(needs(lines))
        else:
            try:
                found = list(needs(distribution(name).requires or [], extra))
            except PackageNotFoundError:
                continue
        for each in found:
            closure(each, seen)


def size(found: Distribution) -> int:
    """Bytes of a package's files, compiled ones too."""
    paths = [Path(str(found.locate_file(file))) for file in found.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def weights(extras: list[str], packages: list[str]) -> tuple[dict[str, int], set[str]]:
    """Bytes by package; and those that are not installed here."""
    seen: dict[str, set[str]] = {}
    for each in (f"wherry[{','.join(extras)}]", *packages):
        closure(Requirement(each), seen)
    sizes, missing = {}, set()
    for name in seen.keys() - {"wherry"}:
        try:
            sizes[name] = size(distribution(name))
        except PackageNotFoundError:
            missing.add(name)
    return sizes, missing


def ours() -> int:
    """Bytes of our own package, as an image has it: with its compiled files, of about its size."""
    rooms = [path.resolve() for path in (ROOT / "src" / "wherry").iterdir() if path.is_symlink()]
    files = [f for room in rooms for f in room.rglob("*") if f.is_file()]
    return sum(
        f.stat().st_size * (2 if f.suffix == ".py" else 1) for f in files if f.suffix != ".pyc"
    )


def row(name: str, extras: list[str], packages: list[str]) -> str:
    """A line of a table."""
    sizes, missing = weights(extras, packages)
    most = sorted(sizes, key=lambda each: -sizes[each])[:4]
    told = ", ".join(f"{each} {sizes[each] / 1e6:.0f}" for each in most)
    gone = f" (without {', '.join(sorted(missing))})" if missing else ""
    return f"| {name} | {(sum(sizes.values()) + ours()) / 1e6:,.0f} | {told}{gone} |"


def main() -> None:
    """Print the images of compose.yaml, then what each extra is alone."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    print("| image | MB | most of it |\n|---|---|---|")
    done: set[str] = set()
    for service in services.values():
        if "build" not in service or service["image"] in done or "gpu" in service["image"]:
            continue
        done.add(service["image"])
        arguments = service["build"]["args"]
        extras = arguments["EXTRAS"].split(",")
        print(row(f"`{service['image']}`", extras, arguments.get("PACKAGES", "").split()))
    print("\n| extra | MB | most of it |\n|---|---|---|")
    for extra in OURS["optional-dependencies"]:
        if not re.fullmatch("all|demo|samples|local", extra):
            print(row(f"`{extra}`", [extra], []))


if __name__ == "__main__":
    main()
