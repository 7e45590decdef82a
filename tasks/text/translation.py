"""Translation. OIP: text BYTES [n] -> text, finish_reason BYTES [n], prompt_tokens,
completion_tokens INT32 [n].

Languages are named as the model names them: `en` and `de` for T5 and M2M100, `eng_Latn` for NLLB,
`en_XX` for mBART. The tests' models have random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from .generation import GROUP_BY, OF_ONE_SIZE, OUTPUTS, OWN, Generation, GenerationOutput
from .rewriting import RewritingInput
from .texts import MAX_TOKENS


class TranslationInput(RewritingInput):
    """Texts to translate."""

    src_lang: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="The texts' language as the model names it; left out: the model's own.",
    )
    tgt_lang: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="The language wanted as the model names it; left out: the model's own.",
    )


class TranslationOutput(GenerationOutput):
    """Per text, its translation."""


TASK = Task(
    name="translation",
    family="text",
    title="Translation",
    description="Says a text in another language.",
    input=TranslationInput,
    output=TranslationOutput,
    outputs=OUTPUTS,
    default_model="google-t5/t5-small",
    max_row_cost=MAX_TOKENS,
    group_by=GROUP_BY,
    own=OWN,
    of_one_size=OF_ONE_SIZE,
    widget=Widget(("text",), "text"),
    aliases=Aliases(),
    example=Example(
        TranslationInput(
            texts=["The house is old."], src_lang="en", tgt_lang="de", max_new_tokens=32
        ),
        TranslationOutput(
            generations=[
                Generation(
                    text="Das Haus ist alt.",
                    finish_reason="stop",
                    prompt_tokens=11,
                    completion_tokens=6,
                )
            ]
        ),
    ),
)
