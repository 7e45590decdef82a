"""Question answering over tables. OIP: query BYTES [n], table BYTES [n] (JSON {column: [cells]}
each) -> answer, coordinates, cells, aggregator BYTES [n, 1].

coordinates are JSON [[row, column], ...], cells a JSON list of texts. Herzig et al., 2020 (TAPAS).
No trained model could be had offline: tests know a tiny random one only.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..tensors import TensorSpec
from .texts import MAX_TOKENS, BoundedInput

QUERY = TensorSpec("query", Datatype.BYTES, (-1,), "queries", "text")
TABLE = TensorSpec("table", Datatype.BYTES, (-1,), "tables", "json")
OUTPUTS = (
    TensorSpec("answer", Datatype.BYTES, (-1, -1), "answers", "text"),
    TensorSpec("coordinates", Datatype.BYTES, (-1, -1), "answers", "json"),
    TensorSpec("cells", Datatype.BYTES, (-1, -1), "answers", "json"),
    TensorSpec("aggregator", Datatype.BYTES, (-1, -1), "answers", "text"),
)

Cell = str | int | float | bool | None


class TableQuestionAnsweringInput(BoundedInput):
    """Queries, and a table for each."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (QUERY, TABLE)
    ROWS: ClassVar[tuple[str, ...]] = ("queries", "tables")

    queries: list[str] = Field(min_length=1, description="Questions, one a row.")
    tables: list[dict[str, list[Cell]]] = Field(
        min_length=1, description="Tables, one a row: the cells of each column by its name."
    )


class TableAnswer(BaseModel):
    """The cells that answer, and what to do with them."""

    model_config = ConfigDict(frozen=True)

    answer: str = Field(description="The cells as text, after the aggregator if there is one.")
    coordinates: str = Field(description="JSON [[row, column], ...], both from 0.")
    cells: str = Field(description="JSON list of the cells' texts.")
    aggregator: str = Field(default="", description="NONE, SUM, AVERAGE or COUNT; or empty.")


class TableQuestionAnsweringOutput(ItemsOutput):
    """Per query, one answer."""

    ITEM: ClassVar[type[BaseModel]] = TableAnswer
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = OUTPUTS
    ROWS: ClassVar[tuple[str, ...]] = ("answers",)

    answers: list[list[TableAnswer]]


TASK = Task(
    name="table-question-answering",
    family="text",
    title="Table question answering",
    description="Finds the cells of a table that answer a question.",
    input=TableQuestionAnsweringInput,
    output=TableQuestionAnsweringOutput,
    outputs=OUTPUTS,
    default_model="google/tapas-base-finetuned-wtq",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text", "table"), "table"),
    aliases=Aliases(huggingface=("table-question-answering",)),
    example=Example(
        TableQuestionAnsweringInput(
            queries=["How many boats are there?"],
            tables=[{"boat": ["wherry", "tug"], "number": ["12", "3"]}],
        ),
        TableQuestionAnsweringOutput(
            answers=[
                [
                    TableAnswer(
                        answer="SUM > 12, 3",
                        coordinates="[[0, 1], [1, 1]]",
                        cells='["12", "3"]',
                        aggregator="SUM",
                    )
                ]
            ]
        ),
    ),
)
