"""Ray Data's way through the same folder: `ray_data.py MODEL FOLDER BATCH`, in its own environment.

The rate counts from the first batch's start, so that starting Ray and loading the model are left
out; `wherry`'s rate, in the same table, counts everything but the start of the fleet.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import ray
import ray.data


class Classify:
    """The model, loaded once an actor."""

    def __init__(self, model: str) -> None:
        from wherry.tasks.create import create_task

        self._task = create_task("transformers", "image-classification", model, {"threads": 1})

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """A batch of files to labels, with when it began and ended."""
        from wherry.tasks.vision.image_classification import (
            ImageClassificationInput,
            ImageClassificationOutput,
        )

        began = time.time()
        output = self._task.process(ImageClassificationInput(images=list(batch["bytes"])))
        assert isinstance(output, ImageClassificationOutput)
        labels = [row[0].label for row in output.results]
        return {
            "label": labels,
            "began": [began] * len(labels),
            "ended": [time.time()] * len(labels),
        }


def main(model: str, folder: str, batch: int) -> None:
    """Run, and print rows a second."""
    ray.init(num_cpus=2, logging_level=logging.ERROR, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = (
        ray.data.read_binary_files(folder)
        .map_batches(
            Classify,
            fn_constructor_args=(model,),
            batch_size=batch,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=1),
        )
        .take_all()
    )
    seconds = max(row["ended"] for row in rows) - min(row["began"] for row in rows)
    print(json.dumps(len(rows) / seconds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
