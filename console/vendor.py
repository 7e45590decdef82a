"""Put the libraries that npm brought beside the console's own files: `make console` runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent
INTO = HERE.parent / "api" / "console" / "static" / "vendor"

#: What a page loads of each, and its licence. Types come along, for the check of our own sources.
FILES = {
    "lit-html": ("*.js", "*.d.ts", "directives/*.js", "directives/*.d.ts", "LICENSE"),
    "uplot": ("dist/uPlot.iife.min.js", "dist/uPlot.d.ts", "dist/uPlot.min.css", "LICENSE"),
}


def main() -> None:
    """Copy afresh, so that nothing of an older version stays."""
    shutil.rmtree(INTO, ignore_errors=True)
    for package, patterns in FILES.items():
        source = HERE / "node_modules" / package
        for pattern in patterns:
            for file in sorted(source.glob(pattern)):
                into = INTO / package / file.relative_to(source).as_posix().removeprefix("dist/")
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, into)
    _as_module(INTO / "uplot")


def _as_module(folder: Path) -> None:
    """Make uPlot's small build, a script, a module: the module it ships weighs twice as much."""
    script = folder / "uPlot.iife.min.js"
    module = folder / "uPlot.esm.js"
    module.write_bytes(script.read_bytes().rstrip() + b"\nexport default uPlot;\n")
    script.unlink()
    # A module's types are looked for beside it, under its own name.
    (folder / "uPlot.d.ts").rename(folder / "uPlot.esm.d.ts")


if __name__ == "__main__":
    main()
