from __future__ import annotations

from jinja2 import TemplateError

from .....protocol.errors import RowError
from ....text.chat import ChatInput, Message
from ..generation.continuous_writer import ContinuousWriter


class Chat(ContinuousWriter):
    """An AutoModelForCausalLM behind its tokenizer's chat template."""

    auto_class = "AutoModelForCausalLM"

    def load_processor(self) -> None:
        """Load the tokenizer. Raises ValueError when it has no chat template."""
        super().load_processor()
        if not self.tokenizer.chat_template:
            raise ValueError(f"{self.source} has no chat template; it can do text-generation")

    def encode(self, row: ChatInput) -> list[int]:
        """The conversation as the template writes it, up to where the assistant speaks."""
        messages = [
            {"role": message["role"], "content": _text(message)} for message in row.messages[0]
        ]
        goes_on = messages[-1]["role"] == "assistant"
        try:
            tokens: list[int] = self.tokenizer.apply_chat_template(
                messages,
                add_generation_prompt=not goes_on,
                continue_final_message=goes_on,
                return_dict=False,
            )
        except (TemplateError, ValueError) as error:  # as templates refuse roles and their order
            raise RowError(f"the model's chat template refuses the messages: {error}") from None
        return tokens


def _text(message: Message) -> str:
    """A message's text parts as one text: many templates take nothing else."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content)
