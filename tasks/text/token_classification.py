"""Token classification: names, places, parts of speech. OIP: text BYTES [n] -> entity BYTES,
score FP32, word BYTES, start, end, index INT64 [n, m].

start and end count characters (Unicode code points) of the text as sent.

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import TEXT as SAMPLE
from ..tensors import TensorSpec
from .texts import MAX_TOKENS, CutInput, TextsInput

OUTPUTS = (
    TensorSpec("entity", Datatype.BYTES, (-1, -1), "entities", "text"),
    TensorSpec("score", Datatype.FP32, (-1, -1), "entities"),
    TensorSpec("word", Datatype.BYTES, (-1, -1), "entities", "text"),
    TensorSpec("start", Datatype.INT64, (-1, -1), "entities"),
    TensorSpec("end", Datatype.INT64, (-1, -1), "entities"),
    TensorSpec("index", Datatype.INT64, (-1, -1), "entities"),
)

Strategy = Literal["none", "simple", "first", "average", "max"]


class TokenClassificationInput(TextsInput, CutInput):
    """Texts whose tokens are classified."""

    aggregation_strategy: Strategy = Field(
        default="none",
        description="none answers tokens. simple joins neighbours of one entity; first, average "
        "and max let the tokens of a word agree before.",
    )
    ignore_labels: list[str] = Field(
        default=["O"], description="Labels that are left out of the answer."
    )
    stride: int | None = Field(
        default=None,
        ge=0,
        description="Read texts longer than the model in pieces that share so many tokens. "
        "When not given, what is too long is cut off. Needs an aggregation_strategy.",
    )

    @model_validator(mode="after")
    def _pieces_are_joined(self) -> Self:
        if self.stride is not None and self.aggregation_strategy == "none":
            raise ValueError("stride: needs an aggregation_strategy other than none")
        return self


class Entity(BaseModel):
    """A token, or neighbours that make up one entity."""

    model_config = ConfigDict(frozen=True)

    entity: str = Field(description="Its label; without the B- or I- where tokens were joined.")
    score: float = Field(description="Probability, 0 to 1.")
    word: str = Field(description="The token or tokens, as the tokenizer writes them.")
    start: int = Field(description="First character in the text.")
    end: int = Field(description="First character after it.")
    index: int = Field(default=-1, description="Position of the token; -1 where joined.")


class TokenClassificationOutput(ItemsOutput):
    """Per text, its entities in the order of the text."""

    ITEM: ClassVar[type[BaseModel]] = Entity
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = OUTPUTS
    ROWS: ClassVar[tuple[str, ...]] = ("entities",)

    entities: list[list[Entity]]


TASK = Task(
    name="token-classification",
    family="text",
    title="Token classification",
    description="Marks words of a text: names of people and places, parts of speech.",
    input=TokenClassificationInput,
    output=TokenClassificationOutput,
    outputs=OUTPUTS,
    default_model="dbmdz/bert-large-cased-finetuned-conll03-english",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text",), "spans"),
    aliases=Aliases(huggingface=("token-classification", "ner")),
    example=Example(
        TokenClassificationInput(texts=[SAMPLE], aggregation_strategy="simple"),
        TokenClassificationOutput(
            entities=[
                [
                    Entity(entity="ANIMAL", score=0.875, word="fox", start=16, end=19),
                    Entity(entity="ANIMAL", score=0.75, word="dog", start=40, end=43),
                ]
            ]
        ),
    ),
)
