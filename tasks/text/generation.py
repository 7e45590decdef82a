"""Generated text: what every task that writes takes and answers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator
from pydantic_core import from_json, to_json

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import TaskInput, TaskOutput
from ..tensors import TensorSpec, column, values_of
from .structured_outputs import Form, StructuredOutputs
from .tokens import Token
from .tool_use import ToolCall

#: Tokens that one row may ask for.
MAX_NEW_TOKENS = 32_768

#: Parameters that one batch has one value of: beams have a shape of their own, and one length.
GROUP_BY = ("num_beams",)

#: Those that each row of a batch has by itself.
OWN = (
    "max_new_tokens",
    "do_sample",
    "temperature",
    "top_p",
    "top_k",
    "typical_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "min_new_tokens",
    "stop",
    "logprobs",
)

#: The same of texts that may be held to a form.
FORMED_OWN = (*OWN, "structured_outputs")

#: Those of which a batch has values of one size: a short row's job ends with the batch.
OF_ONE_SIZE = ("max_new_tokens",)

#: Candidates told in a token's place, at most.
MAX_LOGPROBS = 20

#: Tokens of one row whose scores are moved, at most.
_MAX_BIASES = 1024

#: Parameters that beam search does not heed.
_ROW_BY_ROW = ("presence_penalty", "frequency_penalty", "logit_bias", "min_new_tokens")

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
Seed = Annotated[
    int | None,
    Field(
        ge=0,
        le=2**63 - 1,
        description="Makes what is drawn repeatable: a row's text follows from it and the seed.",
    ),
]
Penalty = Annotated[float, Field(ge=-2, le=2)]
#: A token's number, as a JSON object's key is.
TokenName = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]
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
    typical_p: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Draw from the tokens of this sum that tell as much as is to be expected.",
    )
    presence_penalty: Penalty | None = Field(
        default=None, description="Taken from the logits of tokens that were generated already."
    )
    frequency_penalty: Penalty | None = Field(
        default=None, description="The same, as many times as each was generated."
    )
    logit_bias: dict[TokenName, Bias] | None = Field(
        default=None,
        max_length=_MAX_BIASES,
        description="Added to the logits of tokens, by their numbers.",
    )
    min_new_tokens: int | None = Field(
        default=None,
        ge=0,
        le=MAX_NEW_TOKENS,
        description="Tokens to generate before one that ends the text is chosen; strings of `stop` "
        "end it all the same.",
    )
    num_beams: int | None = Field(
        default=None, ge=1, le=16, description="Texts followed at once by beam search; 1 for none."
    )
    stop: list[StopString] = Field(
        default=[], max_length=16, description="Strings that end a text; they are left out of it."
    )
    seed: Seed = None

    logprobs: int | None = Field(
        default=None,
        ge=0,
        le=MAX_LOGPROBS,
        description="Also answer the tokens with their logprobs, and so many likeliest tokens in "
        "the place of each; 0 for those of the text alone.",
    )

    def costs(self) -> list[int]:
        """Tokens: those of each row, and those that it may get."""
        return [tokens + self.max_new_tokens for tokens in super().costs()]

    def row_by_row(self) -> list[str]:
        """The parameters, of those given, that beam search does not heed."""
        return [name for name in _ROW_BY_ROW if getattr(self, name)]

    @model_validator(mode="after")
    def _check_beams(self) -> Self:
        if self.do_sample and (self.num_beams or 1) > 1:
            raise ValueError("do_sample: beam search takes the likeliest; use num_beams 1 to draw")
        if self.logprobs is not None and (self.num_beams or 1) > 1:
            raise ValueError("logprobs: beam search tells no tokens; use num_beams 1")
        if (self.num_beams or 1) > 1 and (asked := self.row_by_row()):
            raise ValueError(f"{asked[0]}: beam search heeds none; use num_beams 1")
        return self


class FormedInput(GenerationInput):
    """Texts that may be held to a form."""

    structured_outputs: Form | None = Field(
        default=None,
        description="The form that each text must have: json (a JSON schema), json_object (true), "
        "regex, choice (a list of texts) or grammar (Lark's).",
    )

    def binding(self) -> str:
        """The form."""
        return "" if self.structured_outputs is None else "structured_outputs"

    def forms(self) -> dict[str, StructuredOutputs]:
        """What must be followed, by the field that says it."""
        form = self.structured_outputs
        return {} if form is None else {"structured_outputs": form}

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if self.structured_outputs is not None and (self.num_beams or 1) > 1:
            raise ValueError("structured_outputs: beam search follows no form; use num_beams 1")
        return self


TEXT = TensorSpec("text", Datatype.BYTES, (-1,), "generations", "text")
FINISH_REASON = TensorSpec("finish_reason", Datatype.BYTES, (-1,), "generations", "text")
PROMPT_TOKENS = TensorSpec("prompt_tokens", Datatype.INT32, (-1,), "generations")
COMPLETION_TOKENS = TensorSpec("completion_tokens", Datatype.INT32, (-1,), "generations")
#: Per row a list of objects, one a token, as `Token.view` has them; only with `logprobs`.
TOKENS = TensorSpec("tokens", Datatype.BYTES, (-1,), "generations", "json", optional=True)

#: Per row a list of calls as `ToolCall` has them; only where a model of chat wants tools called.
TOOL_CALLS = TensorSpec("tool_calls", Datatype.BYTES, (-1,), "generations", "json", optional=True)

#: Those which every answer has.
_ALWAYS = (TEXT, FINISH_REASON, PROMPT_TOKENS, COMPLETION_TOKENS)
OUTPUTS = (*_ALWAYS, TOKENS)


class Generation(BaseModel):
    """A generated text, and why it ended."""

    model_config = ConfigDict(frozen=True)

    text: str
    finish_reason: Literal["stop", "length", "tool_calls"] = Field(
        description="stop: the model ended it, or a stop string did. length: no tokens were left. "
        "tool_calls: it ended in calls."
    )
    prompt_tokens: int = Field(description="Tokens the model was given.")
    completion_tokens: int = Field(description="Tokens it made, the one that ended it included.")
    tokens: tuple[Token, ...] | None = Field(
        default=None, description="The tokens with their logprobs, where they were asked for."
    )
    tool_calls: tuple[ToolCall, ...] | None = Field(
        default=None, description="The tools that the model wants called, if any."
    )

    @field_serializer("tokens")
    def _objects(self, tokens: tuple[Token, ...] | None) -> list[dict[str, Any]] | None:
        """Named, where pydantic would write bare lists; null for a row that failed."""
        return None if tokens is None else [token.view() for token in tokens]


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
        """A tensor per attribute, one element a row; `tokens` and `tool_calls` where any row has
        some.
        """
        outputs = [
            column(spec, [getattr(row, spec.name) for row in self.generations]) for spec in _ALWAYS
        ]
        for spec in (TOKENS, TOOL_CALLS):
            if any(getattr(row, spec.name) is not None for row in self.generations):
                written = [to_json(row.model_dump()[spec.name]) for row in self.generations]
                outputs.append(column(spec, [row.decode() for row in written]))
        return v2.InferenceResponse.of(model_name, outputs)

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read the four tensors, and tokens and calls where there are any."""
        names = [spec.name for spec in _ALWAYS]
        columns = [values_of(spec, response) for spec in _ALWAYS]
        for spec in (TOKENS, TOOL_CALLS):
            if any(tensor.name == spec.name for tensor in response.outputs):
                names.append(spec.name)
                columns.append([from_json(text) for text in values_of(spec, response)])
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        return cls.model_validate({"generations": rows})
