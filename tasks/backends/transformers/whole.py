"""What a folder must hold to be served: what it lacks, transformers fills with random numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from transformers.utils.hub import cached_file

from ..base import ModelRefused

#: Weights that only training reads, of any model: what is masked, and what norms count.
_TRAINING = (
    r"(^|\.)masked_spec_embed$",
    r"(^|\.)embeddings\.mask_token$",
    r"(^|\.)num_batches_tracked$",
)

#: What pools a text for heads that judge all of it. Checkpoints of other heads lack it.
POOLER = r"(^|\.)pooler\."

#: How many names of weights, and of kinds of models, a message lists at most.
_WEIGHTS, _KINDS = 4, 30


def load_whole(
    auto_class: str,
    source: str,
    unread: Iterable[str] = (),
    *,
    revision: str | None = None,
    **loading: Any,  # of from_pretrained
) -> tuple[Any, list[str]]:
    """Load a model of which every weight but those that match `unread` is in the folder.

    Answers the model, and the names of those that are not. No pickle is read, no code run.

    Raises ModelRefused for another kind of model, and for weights that are missing or of other
    shapes than config.json says.
    """
    import transformers

    if has_file(source, "adapter_config.json", revision):
        raise ModelRefused(
            f"{source}: an adapter (adapter_config.json) is not applied; merge it into its base "
            "model and serve what that saves"
        )
    auto = getattr(transformers, auto_class)
    check_kind(auto, source, read_config(source, revision))
    model, found = auto.from_pretrained(
        source,
        revision=revision,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # so that check_weights can name them
        **loading,
    )
    return model, check_weights(source, found, unread)


def read_config(source: str, revision: str | None = None) -> Any:
    """A model's config, as transformers reads it. Raises ModelRefused for a folder without one."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    except ValueError as error:  # it looks for a kind of model in the folder's name
        if has_file(source, "config.json", revision):
            raise
        raise ModelRefused(f"{source}: the folder holds no config.json") from error


def check_weights(source: str, found: Mapping[str, Any], unread: Iterable[str] = ()) -> list[str]:
    """The weights that are not there and need not be, by transformers' loading info.

    Raises ModelRefused when others are not, or have another shape.
    """
    shapes = sorted(found["mismatched_keys"])
    if shapes:
        _, has, wants = shapes[0]
        raise ModelRefused(
            f"{source}: {_some([name for name, *_ in shapes])} has the shape {tuple(has)} in the "
            f"weights, {tuple(wants)} by config.json: these two are not of one model, or "
            "id2label lists another count of labels than the head has"
        )
    lacking = sorted(name for name in found["missing_keys"] if not _matches(name, _TRAINING))
    missing = [name for name in lacking if not _matches(name, unread)]
    if missing:
        raise ModelRefused(
            f"{source}: the weights lack {_some(missing)}, which this task needs; take a model "
            "that was trained for it"
        )
    return lacking


def has_file(source: str, name: str, revision: str | None = None) -> bool:
    """Whether a folder, or a repository of a hub, holds a file."""
    return find_file(source, name, revision) is not None


def find_file(source: str, name: str, revision: str | None = None) -> str | None:
    """The path of a folder's file, or of a hub's in the cache; None where there is none."""
    try:
        path: str | None = cached_file(
            source, name, revision=revision, _raise_exceptions_for_missing_entries=False
        )
    except OSError:  # the hub cannot be reached: then what is not in the cache is not there
        return None
    return path


def refusal(source: str, error: Exception) -> ModelRefused:
    """An error of transformers about a folder, which may be a wall of text, in one line."""
    text = " ".join(str(error).split())
    lacks = re.search(r"(?:containing an?|a? ?file named) ([\w.]+)", text)
    if lacks:
        return ModelRefused(f"{source}: the folder holds no {lacks[1]}, which this task needs")
    return ModelRefused(text if source in text else f"{source}: {text}")


def package_fault(error: Exception) -> str:
    """What transformers' error says of a package that is an extra; "" where it is about another."""
    asked = re.search(
        r"(?:requires the|dependencies:) (torchvision|timm)\b", str(error), re.IGNORECASE
    )
    if asked:
        package = asked[1].lower()
        return f"this model needs {package}: pip install 'wherry[{package}]'"
    if "torchvision::" in f"{error.__cause__}":  # its builds for CUDA break beside torch for CPUs
        return (
            "torchvision does not fit the torch that is here: install both for one kind of device"
        )
    return ""


def check_kind(auto: Any, source: str, config: Any) -> None:
    """Raise ModelRefused for a config that an auto class of transformers does not take."""
    mapping = getattr(auto, "_model_mapping", None)
    if mapping is None:  # a class of one kind of model takes any config, and answers at random
        fits = config.model_type == auto.config_class.model_type
    else:
        fits = type(config) in mapping
    if fits:
        return
    # Only now: to ask a mapping for its kinds imports every one that there is, which takes seconds.
    kinds = [auto.config_class] if mapping is None else mapping.keys()
    names = sorted({kind.model_type for kind in kinds})
    takes = ", ".join(names) if len(names) <= _KINDS else f"models of transformers' {auto.__name__}"
    raise ModelRefused(
        f"{source}: a model of type {config.model_type} does not do this task; it takes {takes}"
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _WEIGHTS} more" if len(names) > _WEIGHTS else ""
    return ", ".join(names[:_WEIGHTS]) + more
