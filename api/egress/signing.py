"""Which secrets sign a tenant's webhooks."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol.webhooks import secret_key
from .settings import OutboundSettings


def signing_keys(settings: OutboundSettings, tenant: str) -> Sequence[bytes]:
    """The keys for a tenant's webhooks, the same for all tenants as yet.

    Raises ValueError for a secret that is none.
    """
    _ = tenant
    secrets = settings.webhook_secrets.get_secret_value().replace(",", " ").split()
    try:
        return [secret_key(secret) for secret in secrets]
    except ValueError as error:
        raise ValueError(f"WHERRY_WEBHOOK_SECRETS: {error}") from None
