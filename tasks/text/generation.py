"""Generated text: what every task that writes takes and answers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import TaskInput, TaskOutput
from ..tensors import TensorSpec, column, values_of

#: Tokens that one row may ask for.
MAX_NEW_TOKENS = 32_768

#: Parameters that one batch has one value of. Seeds are each row's own.
GROUP_BY = (
    "max_new_tokens",
    "do_sample",
    "temperature",
    "top_p",
    "top_k",
    "repetition_penalty",
    "num_beams",
    "stop",
)

#: Parameters of every task that can draw tokens, whatever else it takes.
DoSample = Annotated[
    bool, Field(description="Draw tokens by chance instead of taking the likeliest.")
]
Temperature = Annotated[
    float | None,
    Field(
        ge=0,
        allow_inf_nan=False,
        description="Flattens (over 1) or sharpens (under 1) the chances; 0 takes the likeliest.",
    ),
]
TopP = Annotated[
    float | None, Field(gt=0, le=1, description="Draw from the likeliest tokens of this sum.")
]
StopString = Annotated[str, Field(min_length=1, max_length=256)]


class GenerationInput(TaskInput):
    """Texts to write, and how. What is left out is the model's own generation config's."""

    max_new_tokens: int = Field(
        default=256,
        ge=1,
        le=MAX_NEW_TOKENS,
        description="Tokens to generate at most, within the model's positions.",
    )
    do_sample: DoSample = False
    temperature: Temperature = None
    top_p: TopP = None
    top_k: int | None = Field(
        default=None, ge=0, description="Draw from this many of the likeliest tokens; 0 for all."
    )
    repetition_penalty: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Over 1 makes tokens that were there before less likely.",
    )
    num_beams: int | None = Field(
        default=None, ge=1, le=16, description="Texts followed at once by beam search; 1 for none."
    )
    stop: list[StopString] = Field(
        default=[], max_length=16, description="Strings that end a text; they are left out of it."
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=2**63 - 1,
        description="Makes what is drawn repeatable: a row's text follows from it and the seed.",
    )

    def costs(self) -> list[int]:
        """Tokens: those of each row, and those that it may get."""
        return [tokens + self.max_new_tokens for tokens in super().costs()]

    @model_validator(mode="after")
    def _check_beams(self) -> Self:
        if self.do_sample and (self.num_beams or 1) > 1:
            raise ValueError("do_sample: beam search takes the likeliest; use num_beams 1 to draw")
        return self


TEXT = TensorSpec("text", Datatype.BYTES, (-1,), "generations", "text")
FINISH_REASON = TensorSpec("finish_reason", Datatype.BYTES, (-1,), "generations", "text")
PROMPT_TOKENS = TensorSpec("prompt_tokens", Datatype.INT32, (-1,), "generations")
COMPLETION_TOKENS = TensorSpec("completion_tokens", Datatype.INT32, (-1,), "generations")
OUTPUTS = (TEXT, FINISH_REASON, PROMPT_TOKENS, COMPLETION_TOKENS)


class Generation(BaseModel):
    """A generated text, and why it ended."""

    model_config = ConfigDict(frozen=True)

    text: str
    finish_reason: Literal["stop", "length"] = Field(
        description="stop: the model ended it, or a stop string did. length: no tokens were left."
    )
    prompt_tokens: int = Field(description="Tokens the model was given.")
    completion_tokens: int = Field(description="Tokens it made, the one that ended it included.")


class GenerationOutput(TaskOutput):
    """Per row, the text generated."""

    ROWS: ClassVar[tuple[str, ...]] = ("generations",)

    generations: list[Generation]

    @classmethod
    def empty(cls) -> Self:
        """No text."""
        nothing = Generation(text="", finish_reason="stop", prompt_tokens=0, completion_tokens=0)
        return cls(generations=[nothing])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """A tensor per attribute, one element a row."""
        return v2.InferenceResponse(
            model_name=model_name,
            outputs=[
                column(spec, [getattr(row, spec.name) for row in self.generations])
                for spec in OUTPUTS
            ],
        )

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read the four tensors."""
        names = [spec.name for spec in OUTPUTS]
        columns = [values_of(spec, response) for spec in OUTPUTS]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        return cls.model_validate({"generations": rows})
