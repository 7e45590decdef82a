from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...base import ModelRefused
from ...image.png import png
from ...text.cut import Truncation, cut_to, with_truncation
from ..base import TransformersBackend, torch_place
from ..tokenizer import check_tokenizer
from ..whole import check_weights


class TextToImage(TransformersBackend):
    """Pictures of a text-to-image pipeline of diffusers: Stable Diffusion and its kin."""

    auto_class = "AutoPipelineForText2Image"

    def load(self) -> None:
        """Load the pipeline (safetensors only, no remote code) and move it to the device."""
        for library in (diffusers.utils.logging, transformers.utils.logging):
            library.set_verbosity_error()
            library.disable_progress_bar()
        self.place = torch_place(self.device)
        if self._attention:
            raise ModelRefused("attention: a pipeline of diffusers has its own; leave it out")
        self.bound_threads()
        loading: dict[str, Any] = {
            "dtype": self._dtype,
            "revision": self._revision,
            "use_safetensors": True,
        }
        with self.refusing():
            pipeline: Any = getattr(diffusers, self.auto_class).from_pretrained(
                self.source,
                trust_remote_code=False,
                **self._models(**loading),
                **loading,
            )
        pipeline.set_progress_bar_config(disable=True)
        self.model = pipeline.to(self.place)
        self.load_processor()

    def _models(self, **loading: Any) -> dict[str, Any]:
        """The pipeline's models by name. Each is loaded for itself, since only then it tells which
        weights its folder lacks. Raises ModelRefused.
        """
        revision = loading["revision"]
        reads: Any = getattr(diffusers, self.auto_class)  # a pipeline's parts are made at run time
        parts = reads.load_config(self.source, revision=revision)
        models: dict[str, Any] = {}
        for name, part in parts.items():
            kind = _class(*part) if isinstance(part, list | tuple) else None
            if kind is not None and issubclass(kind, torch.nn.Module):
                models[name] = self._model(kind, name, **loading)
        return models

    def _model(self, kind: Any, name: str, **loading: Any) -> Any:
        with self.refusing(name):
            model, found = kind.from_pretrained(
                self.source,
                subfolder=name,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that check_weights can name them
                **loading,
            )
        check_weights(f"{self.source}/{name}", found)
        return model

    def load_processor(self) -> None:
        """Check the pipeline's tokenizers; it brings all it needs. Raises ModelRefused."""
        if not Path(str(self.source)).is_dir():
            return  # what a hub's folder holds was asked for by name
        for name, part in self.model.components.items():
            if isinstance(part, transformers.PreTrainedTokenizerBase):
                reads = self.model.components.get(name.replace("tokenizer", "text_encoder"))
                if reads is not None:
                    check_tokenizer(f"{self.source}/{name}", part, config=reads.config)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One pass of the pipeline: all prompts are denoised together."""
        rows: Sequence[Any] = batch
        if not rows:
            return []
        first = rows[0]
        with self.forward():
            drawn = self.model(
                prompt=[row.prompts[0] for row in rows],
                negative_prompt=[row.negative_prompt or "" for row in rows],
                num_inference_steps=first.num_inference_steps,
                guidance_scale=first.guidance_scale,
                width=first.width,
                height=first.height,
                generator=[_chance(row.seed) for row in rows],
                output_type="pil",
            )
        refused = getattr(drawn, "nsfw_content_detected", None) or [False] * len(rows)
        return [
            RowError("the model's safety checker refused the picture")
            if bad
            else with_truncation(
                row, self.task.output.model_validate({"images": [png(image)]}), self._lost(row)
            )
            for row, image, bad in zip(rows, drawn.images, refused, strict=True)
        ]

    def _lost(self, row: Any) -> list[Truncation | None]:
        """What the pipeline leaves out of a prompt. Of several text encoders the one that reads
        the most counts.
        """
        named = [getattr(self.model, f"tokenizer{n}", None) for n in ("", "_2", "_3")]
        known = [tokenizer for tokenizer in named if tokenizer]
        if not known:
            return []
        widest = max(known, key=lambda tokenizer: int(tokenizer.model_max_length))
        return [cut_to(widest.model_max_length, len(widest(row.prompts[0])["input_ids"]))]


def _class(library: str | None, name: str | None) -> Any:
    """The class of a pipeline's part; None for a part that it does without."""
    if library is None or name is None:
        return None
    homes = {"diffusers": diffusers, "transformers": transformers}
    # Safety checkers and the like are at home in their pipeline's module.
    home = homes.get(library) or getattr(diffusers.pipelines, library, None)
    return getattr(home, name, None)


def _chance(seed: int | None) -> torch.Generator:
    """A row's own noise, so that its picture does not depend on the rows beside it.

    On the CPU: the same seed draws other numbers on a GPU.
    """
    generator = torch.Generator("cpu")
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator
