from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...base import ModelRefused
from ...rows import check_entries
from ...sizes import Size
from ..whole import POOLER
from .base import Tensors, VisionBackend

#: What models call the token that stands for the whole image.
_FIRST_TOKENS = ("cls_token", "class_embedding", "class_token")


class ImageFeatureExtraction(VisionBackend):
    """Vectors of an AutoModel: the first token's, or the pooled output. CLIP's are projected."""

    auto_class = "AutoModel"
    unread = (POOLER,)

    def load_model(self) -> tuple[Any, list[str]]:
        """Load the weights. Raises ModelRefused for a model that reads images in its head alone."""
        if self.read_config().model_type == "perceiver":
            raise ModelRefused(
                f"{self.source}: a perceiver reads images in the head that classifies them; serve "
                "it as image-classification"
            )
        return super().load_model()

    def load_processor(self) -> None:
        """Load the image processor; and let ViT-MAE see all of an image, not a random quarter."""
        super().load_processor()
        if hasattr(self.model.config, "mask_ratio"):
            self.model.config.mask_ratio = 0.0

    def answer(
        self,
        inputs: Sequence[TaskInput],
        sizes: Sequence[Size],  # noqa: ARG002 # vectors have no size in pixels
        tensors: Tensors,
    ) -> list[TaskOutput | RowError]:
        """One forward. pixel_values: (B, 3, H, W) -> two vectors a row, of which it takes one."""
        # Models of images and text would want a text, too.
        model = getattr(self.model, "get_image_features", self.model)
        with self.forward():
            out = model(**self.to_device(tensors))
            hidden = out.get("last_hidden_state")
            if hidden is None:  # a backbone's: maps, of which the last has seen most
                hidden = out.feature_maps[-1]
            vectors = {False: self._first(hidden).float().cpu().numpy()}
            pooled = out.get("pooler_output")
            if pooled is not None and not self.lacking:  # else it is of random weights
                vectors[True] = pooled.flatten(1).float().cpu().numpy()  # ResNet's: (B, D, 1, 1)
        check_entries({"vectors": vectors[False]}, len(inputs))
        return [self._answer(row, vectors, index) for index, row in enumerate(inputs)]

    def _answer(
        self, row: TaskInput, vectors: Mapping[bool, NDArray[np.float32]], index: int
    ) -> TaskOutput | RowError:
        pool: Any = getattr(row, "pool", False)
        if pool not in vectors:
            return RowError("the model has no pooled output")
        return self.task.output.model_validate({"embeddings": [vectors[pool][index].tolist()]})

    def _first(self, hidden: torch.Tensor) -> torch.Tensor:
        """(B, T, D), or (B, D, H, W) of a convolutional model -> (B, D)."""
        if hidden.ndim == 4:
            return hidden.mean((2, 3))
        names = (name.rpartition(".")[2] for name, _ in self.model.named_parameters())
        return hidden[:, 0] if any(name in _FIRST_TOKENS for name in names) else hidden.mean(1)
