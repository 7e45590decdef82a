from __future__ import annotations

import subprocess
import sys

import pytest

from wherry.tasks.registry import get_task, task_names


def test_names_are_sorted_and_all_found() -> None:
    names = task_names()
    assert list(names) == sorted(names)
    assert {"embedding", "image-classification", "object-detection"} <= set(names)
    assert all(get_task(name).name == name for name in names)


def test_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'origami'.*image-classification"):
        get_task("origami")


def test_schemas_and_catalog_load_no_model_runtime() -> None:
    code = (
        "import sys\n"
        "from wherry.tasks import models_file\n"
        "from wherry.tasks.registry import get_task, task_names\n"
        "list(map(get_task, task_names()))\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'numpy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
