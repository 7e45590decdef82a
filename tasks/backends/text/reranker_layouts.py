"""How causal language models are asked whether a text fits a query.

The words are those that the models were trained with, as Qwen3-Reranker's and
BGE-reranker-v2-gemma's model cards and the package mxbai-rerank have them: a model asked in others
answers something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: What a template has in it.
QUERY, DOCUMENT, INSTRUCTION = "{query}", "{document}", "{instruction}"

_PLACE = re.compile(r"\{(query|document|instruction)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankLayout:
    """A prompt in parts, each of them tokenized by itself."""

    parts: tuple[str, ...]
    #: What it is answered with, the last of them where the text fits; () for any.
    tokens: tuple[str, ...] = ()
    #: What stands for an instruction that is not given, and how one that is given stands.
    instruction: str = ""
    instructed: str = "{}"
    #: Tokens that its card has the model read, the prompt's own included.
    longest: int | None = None
    #: Whether the token that texts begin with comes first.
    begins: bool = False

    @property
    def takes_instruction(self) -> bool:
        """Whether it has a place for one."""
        return any(INSTRUCTION in part for part in self.parts)

    def texts(self, instruction: str, query: str, document: str) -> list[str]:
        """The parts with all that is asked in its place."""
        told = self.instructed.replace("{}", instruction) if instruction else self.instruction
        given = {"instruction": told, "query": query, "document": document}
        return [_PLACE.sub(lambda place: given[place[1]], part) for part in self.parts]


LAYOUTS: Mapping[str, RerankLayout] = {
    "qwen3-reranker": RerankLayout(
        parts=(
            "<|im_start|>system\nJudge whether the Document meets the requirements based on the "
            'Query and the Instruct provided. Note that the answer can only be "yes" or "no".'
            "<|im_end|>\n<|im_start|>user\n",
            "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}",
            "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
        tokens=("no", "yes"),
        instruction="Given a web search query, retrieve relevant passages that answer the query",
        longest=8192,
    ),
    "bge-reranker-gemma": RerankLayout(
        parts=("A: {query}", "\n", "B: {document}", "\n", "{instruction}"),
        tokens=("Yes",),
        instruction=(
            "Given a query A and a passage B, determine whether the passage contains an answer to "
            "the query by providing a prediction of either 'Yes' or 'No'."
        ),
        longest=1024,
        begins=True,
    ),
    "mxbai-rerank": RerankLayout(
        parts=(
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
            "assistant.<|im_end|>\n<|im_start|>user\n",
            "{instruction}query: {query}",
            "\n",
            "document: {document}",
            "\n",
            "You are a search relevance expert who evaluates how well documents match search "
            "queries. For each query-document pair, carefully analyze the semantic relationship "
            "between them, then provide your binary relevance judgment (0 for not relevant, 1 for "
            "relevant).\nRelevance:",
            "<|im_end|>\n<|im_start|>assistant\n",
        ),
        tokens=("0", "1"),
        instructed="instruction: {}\n",
        longest=8192,
    ),
}


REMEDY = (
    'give it parameters: template = "qwen3-reranker" (or another: see docs/tasks/ranking.md), or '
    'classifier_from_token = ["no", "yes"] where the folder\'s chat template has the roles query '
    "and document"
)

UNTOLD = f"a causal language model, and nothing says how it is asked to rank: {REMEDY}"


def layout_of(template: str) -> RerankLayout:
    """A layout by its name, or a prompt of one's own. Raises ValueError for what is neither."""
    if template in LAYOUTS:
        return LAYOUTS[template]
    places = {place[0] for place in _PLACE.finditer(template)}
    if not {QUERY, DOCUMENT} <= places:
        raise ValueError(
            f"template {template!r}: use {', '.join(LAYOUTS)}, or a text with {QUERY} and "
            f"{DOCUMENT} in it, and {INSTRUCTION} where it takes one"
        )
    end = template.rindex(DOCUMENT) + len(DOCUMENT)
    return RerankLayout(parts=tuple(filter(None, (template[:end], template[end:]))))
