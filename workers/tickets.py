"""How tickets are received: one that is malformed is dropped, and the worker goes on."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker import strategy

log = logging.getLogger(__name__)


def careful(task: Any, app: Any, consumer: Any, **options: Any) -> Any:  # Celery ships no types
    """Celery's own strategy; what it raises for a message would end the worker's process."""
    receive = strategy.default(task, app, consumer, **options)

    def received(message: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return receive(message, *args, **kwargs)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("a malformed ticket was dropped: %s", type(error).__name__)
            message.ack_log_error(log, (OSError,))
            return None

    return received
