"""What the fleet remembers of models beside models.toml: what loads said otherwise, and what is
leaving, so that a worker which starts anew still answers the jobs that wait for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .call import Call
from .keys import Keys
from .reach import everywhere, of_all
from .settings import JobsSettings


def set_load_config(model: str, config: str, settings: JobsSettings) -> Call[None]:
    """Have a model loaded by this config, as JSON, from now on; "" for as models.toml says."""
    key = Keys(settings.key_prefix).load_configs
    said = ("HSET", key, model, config) if config else ("HDEL", key, model)
    return Call([said], parse=lambda _: None, reach=of_all(everywhere))


def load_configs(settings: JobsSettings) -> Call[Mapping[str, str]]:
    """Configs of loads by the models' names."""
    return Call([("HGETALL", Keys(settings.key_prefix).load_configs)], parse=_texts)


def set_leaving(declarations: Mapping[str, str], settings: JobsSettings) -> Call[None]:
    """Remember models that are declared no more, by `Group.model_id`, as JSON."""
    words = [word for pair in declarations.items() for word in pair]
    return Call([("HSET", Keys(settings.key_prefix).leaving, *words)], parse=lambda _: None)


def leaving(settings: JobsSettings) -> Call[Mapping[str, str]]:
    """Those that are remembered."""
    return Call([("HGETALL", Keys(settings.key_prefix).leaving)], parse=_texts)


def forget_leaving(model_ids: Collection[str], settings: JobsSettings) -> Call[None]:
    """Forget some, which are drained or declared again."""
    key = Keys(settings.key_prefix).leaving
    return Call([("HDEL", key, *sorted(model_ids))], parse=lambda _: None)


def _texts(reply: Mapping[bytes, bytes]) -> Mapping[str, str]:
    return {field.decode(): value.decode() for field, value in reply.items()}
