"""Multi-vector embedding. OIP: image BYTES [n], text BYTES [n] -> feature FP32 [n, vectors, dim].

A row is an image of a page or a query, each other entry empty. A page has a vector for each place
that the model looks at, a query one for each token, all of length 1 (ColPali, Faysse et al., 2024).
Kept once, pages are searched without a model: a page's score is the sum over a query's vectors of
the greatest product with one of the page's. `visual-document-retrieval` answers these scores.

The tests' models have random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from ..base import Aliases, Example, Task, Widget
from ..samples import PNG
from ..samples import TEXT as SAMPLE
from ..text.feature_extraction import FEATURE, FeatureExtractionOutput
from ..vision.images import MAX_PIXELS
from .image_or_text import ImageOrTextInput


class MultivectorEmbeddingInput(ImageOrTextInput):
    """Pages, which are images, and queries, which are texts."""


class MultivectorEmbeddingOutput(FeatureExtractionOutput):
    """Per page or query, its vectors."""


TASK = Task(
    name="multivector-embedding",
    family="multimodal",
    title="Multi-vector embedding",
    description="Turns pages and queries into many vectors each, to be compared one by one.",
    input=MultivectorEmbeddingInput,
    output=MultivectorEmbeddingOutput,
    outputs=(FEATURE,),
    default_model="vidore/colqwen2-v1.0-hf",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "text"), "vector"),
    aliases=Aliases(),
    example=Example(
        MultivectorEmbeddingInput(images=[PNG, b""], texts=["", SAMPLE]),
        MultivectorEmbeddingOutput(
            features=[[[0.5, -0.5], [0.25, 0.75], [1.0, 0.0]], [[0.125, 0.875], [0.5, 0.5]]]
        ),
    ),
)
