from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server on this machine."""
    receiver = Receiver()
    yield receiver
    receiver.close()
