"""Tiny chat models whose templates write calls of tools as the families known for it do.

Their weights are random: what such a model says under a grammar is right by the grammar alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from wherry.samples.tiny.parts import bpe, loud, save

#: Each message behind its role's token; tools first, and calls in the family's form.
_TURNS = (
    "{% if tools %}<|system|>tools: {{ tools | tojson }}</s>{% endif %}"
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% for call in message.tool_calls or [] %}CALL{% endfor %}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_FUNCTION = (
    '{"name": {{ call.function.name | tojson }}, '
    '"ARGUMENTS": {{ call.function.arguments | tojson }}}'
)


def _template(before: str, arguments: str, after: str) -> str:
    function = _FUNCTION.replace("ARGUMENTS", arguments)
    return _TURNS.replace("CALL", before + function + after)


#: Family -> its template, and the marks that it has as tokens of their own.
FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "hermes": (
        _template("<tool_call>\n", "arguments", "\n</tool_call>"),
        ("<tool_call>", "</tool_call>"),
    ),
    "hermes-spelled": (_template("<tool_call>\n", "arguments", "\n</tool_call>"), ()),
    "llama": (
        "{# Environment: ipython #}" + _template("", "parameters", ""),
        ("<|python_tag|>",),
    ),
    "mistral": (_template("[TOOL_CALLS] [", "arguments", "]"), ("[TOOL_CALLS]",)),
    "xml": (_template("<tool_call><function=", "arguments", "</tool_call>"), ()),
    "none": ("{% for message in messages %}{{ message['content'] }}{% endfor %}", ()),
}


def chat(folder: Path, family: str, *, positions: int = 2048) -> Path:
    """A decoder with that family's template; the mark of Hermes is no special token, as Qwen's."""
    torch.manual_seed(0)
    template, marks = FAMILIES[family]
    special = [mark for mark in marks if not mark.startswith(("<tool", "</tool"))]
    roles = [f"<|{role}|>" for role in ("system", "user", "assistant", "tool")]
    tokenizer = bpe(extra=[*roles, *special], max_length=positions)
    tokenizer.add_tokens([mark for mark in marks if mark not in special])
    tokenizer.chat_template = template
    config = hf.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=positions,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
    )
    save(folder, loud(hf.LlamaForCausalLM(config), "proj", "embed"), tokenizer)
    return folder


#: Tools whose calls are short: arguments of few words, so that a random model comes to an end.
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"enum": ["Paris", "London", "Oslo"]},
                "days": {"$ref": "#/$defs/days"},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
            "$defs": {"days": {"type": "integer", "minimum": 1, "maximum": 9}},
        },
    },
}
TIME: dict[str, Any] = {"type": "function", "function": {"name": "get_time"}}
