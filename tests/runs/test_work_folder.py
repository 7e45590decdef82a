"""A run worker's folder is its own, and goes when it is gone, however it went."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from wherry.runs.work_folder import WorkFolder


def test_what_a_killed_worker_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from wherry.runs.work_folder import WorkFolder\n"
        f"folder = WorkFolder(Path({str(tmp_path)!r}))\n"
        "(folder.path / 'ledger').write_text('x')\nprint(folder.path, flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        first = WorkFolder(tmp_path)
        assert (theirs / "ledger").exists(), "it lives"
        other.kill()
        other.wait()
        second = WorkFolder(tmp_path)
        assert not theirs.exists()
        assert first.path.exists()
        first.close()
        second.close()
    assert list(tmp_path.iterdir()) == []
