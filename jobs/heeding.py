"""Which parameters workers know: one of an older version leaves out, without a word, what it knows
not of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from .fleet_views import WorkerView

#: What a worker says of itself: the parameters that it knows, by task.
SAID = "parameters"

#: Those that are newer than the first worker which says so.
_UNHEARD_OF = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "min_new_tokens",
        "parallel_tool_calls",
        "presence_penalty",
        "structured_outputs",
        "tool_choice",
        "tools",
        "typical_p",
    }
)


def heeds(worker: WorkerView, task: str, parameter: str) -> bool:
    """Whether a worker knows a parameter of a task.

    Of a task that it says nothing of, it knows all but what came with the saying.
    """
    said = worker.info.get(SAID)
    known = said.get(task) if isinstance(said, Mapping) else None
    return parameter in known if isinstance(known, list) else parameter not in _UNHEARD_OF


def unheeded(
    model_id: str, task: str, parameters: Collection[str], workers: Iterable[WorkerView]
) -> frozenset[str]:
    """The parameters of a model, by `Group.model_id`, that not all who serve it now know."""
    serving = [each for each in workers if each.alive and each.serves(model_id)]
    return frozenset(
        name for name in parameters if not all(heeds(each, task, name) for each in serving)
    )
