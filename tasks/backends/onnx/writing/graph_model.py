from __future__ import annotations

from typing import Any

import numpy as np
import torch
import transformers as hf
from numpy.typing import NDArray
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutputWithPast, Seq2SeqLMOutput

from ..checks import finite
from ..decoder import Decoder
from ..graph import Arrays, Graph


class GraphCache:
    """What a decoder's attention computed of the tokens so far, as `generate` carries it along."""

    #: Asked by `generate`: whether it may be compiled.
    is_compileable = False

    def __init__(self, arrays: Arrays, length: int) -> None:
        self.arrays, self._length = arrays, length

    def get_seq_length(self) -> int:
        """How many tokens it is of."""
        return self._length

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Let each row go on from another's, as beams do, or leave some out."""
        rows = beam_idx.numpy()
        self.arrays = {name: array[rows] for name, array in self.arrays.items()}


class GraphModel(hf.PreTrainedModel, hf.GenerationMixin):  # type: ignore[misc] # they have no types
    """A decoder's graphs, behind an encoder's where there is one, as a model that can `generate`.

    It stands on the CPU for torch, wherever its graphs compute: tokens and logits alone pass.
    """

    main_input_name = "input_ids"
    #: Its cache can leave rows out.
    rows_may_leave = True

    def __init__(
        self, config: Any, generation_config: Any, decoder: Decoder, encoder: Graph | None = None
    ) -> None:
        super().__init__(config)
        self.generation_config = generation_config
        self._decoder, self._asks = decoder, frozenset(decoder.inputs())
        self._encoder = None if encoder is None else _Encoder(encoder)
        if not decoder.remembers:
            self.generation_config.use_cache = False

    @property
    def device(self) -> torch.device:
        """Where its inputs are to be."""
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """What its logits are in."""
        return torch.float32

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # its memory comes from its first step

    def get_encoder(self, *_: Any, **__: Any) -> Any:
        """What reads a text for the decoder."""
        return self._encoder

    def get_input_embeddings(self) -> Any:
        """A table as long as the vocabulary, which holds no numbers."""
        return torch.nn.Embedding(self.config.get_text_config().vocab_size, 1, device="meta")

    def get_output_embeddings(self) -> Any:
        """The same."""
        return self.get_input_embeddings()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: GraphCache | None = None,
        decoder_input_ids: torch.Tensor | None = None,
        encoder_outputs: Any = None,
        use_cache: bool = True,
        **_: Any,  # what `generate` hands on to every model
    ) -> Any:
        """Logits (B, T, V) of the tokens given, and the memory of all so far."""
        if self._encoder is None:
            assert input_ids is not None
            before = past_key_values.get_seq_length() if past_key_values else 0
            arrays = _numbers(input_ids, attention_mask, position_ids, before)
            logits, memory = self._step(arrays, past_key_values)
            kept: Any = memory if use_cache else None
            return CausalLMOutputWithPast(logits=logits, past_key_values=kept)
        assert decoder_input_ids is not None
        assert attention_mask is not None
        hidden = encoder_outputs.last_hidden_state
        arrays = {
            "input_ids": decoder_input_ids.numpy(),
            "encoder_hidden_states": hidden.numpy(),
            "encoder_attention_mask": attention_mask.numpy(),
        }
        logits, memory = self._step(arrays, past_key_values)
        kept = memory if use_cache else None
        return Seq2SeqLMOutput(logits=logits, past_key_values=kept)

    def _step(self, arrays: Arrays, memory: GraphCache | None) -> tuple[torch.Tensor, GraphCache]:
        before = memory or GraphCache({}, 0)
        logits, past = self._decoder.step(arrays, before.arrays)
        new = arrays["input_ids"].shape[1]
        return torch.from_numpy(logits), GraphCache(past, before.get_seq_length() + new)


class _Encoder(torch.nn.Module):
    """An encoder's graph as `generate` calls it."""

    main_input_name = "input_ids"

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._graph = graph

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
        arrays = {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()}
        hidden = self._graph.run_rows(arrays)["last_hidden_state"]
        return BaseModelOutput(
            last_hidden_state=torch.from_numpy(finite(hidden, "last_hidden_state"))
        )


def _numbers(
    ids: torch.Tensor, mask: torch.Tensor | None, positions: torch.Tensor | None, before: int
) -> dict[str, NDArray[np.int64]]:
    """The inputs of a decoder that stands alone; places count from each row's first token."""
    if mask is None:  # `generate` leaves it out where no row is padded
        mask = ids.new_ones(ids.shape[0], before + ids.shape[1])
    if positions is None:
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return {
        "input_ids": ids.numpy(),
        "attention_mask": mask.numpy(),
        "position_ids": positions.numpy(),
    }
