"""What one API process may fetch and call, by its settings."""

from __future__ import annotations

from ...jobs import JobsSettings
from ...protocol.errors import InvalidRequest
from ...protocol.parameters import WEBHOOK
from ...tasks.egress.addresses import parse_networks
from ...tasks.egress.allowed import Allowed, OutboundError
from ...tasks.egress.fetch import FetchLimits
from ...tasks.egress.guard import OutboundGuard, Resolve, lookup
from ..settings import ApiSettings
from .buckets import Buckets
from .named_files import NamedFileReader
from .signing import signing_keys


class Outbound:
    """The guards of a process, and what is read and called through them."""

    def __init__(
        self,
        settings: ApiSettings,
        jobs: JobsSettings | None = None,
        *,
        resolve: Resolve = lookup,
    ) -> None:
        """Raises ValueError for settings that cannot be read. Without `jobs` no bucket is read."""
        networks = parse_networks(settings.outbound_networks)
        urls = Allowed.of(settings.url_schemes, settings.url_hosts, setting="WHERRY_URL")
        hooks = Allowed.of(
            settings.webhook_schemes, settings.webhook_hosts, setting="WHERRY_WEBHOOK"
        )
        self._signed = bool(signing_keys(settings, "-"))
        self._urls = OutboundGuard(urls, networks, resolve=resolve)
        self.hooks = OutboundGuard(hooks, networks, resolve=resolve)
        self._buckets = Buckets.of(settings.url_buckets, jobs) if jobs else None
        self.files = NamedFileReader(
            self._urls,
            FetchLimits(settings.url_max_bytes, settings.url_timeout_s, settings.url_max_redirects),
            at_once=settings.url_at_once,
            max_files=settings.max_rows_per_job,
            max_bytes=settings.max_body_bytes,
            buckets=self._buckets,
        )

    @property
    def calls(self) -> bool:
        """Whether webhooks are on."""
        return bool(self.hooks.allowed) and self._signed

    def fetches(self, url: str) -> bool:
        """Whether a URL's host is one that inputs are fetched from."""
        try:
            self._urls.allowed.url(url)
        except OutboundError:
            return False
        return True

    def webhook(self, url: object) -> str:
        """The URL that a request wants called; "" for none.

        Raises InvalidRequest where webhooks are off, or the URL is not allowed.
        """
        if not url:
            return ""
        if not isinstance(url, str):
            raise InvalidRequest(f"parameter {WEBHOOK}: expected a URL")
        if not self.calls:
            raise InvalidRequest(
                f"{WEBHOOK}: none are called here; an operator turns them on by "
                "WHERRY_WEBHOOK_HOSTS and WHERRY_WEBHOOK_SECRETS"
            )
        try:
            return str(self.hooks.allowed.url(url))
        except OutboundError as error:
            raise InvalidRequest(f"{WEBHOOK}: {error}") from None

    async def check_webhook(self, url: str) -> None:
        """Raise InvalidRequest for a host that has no address which may be called."""
        try:
            await self.hooks.check(url)
        except OutboundError as error:
            raise InvalidRequest(f"{WEBHOOK}: {error}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._urls.close()
        await self.hooks.close()
        if self._buckets is not None:
            self._buckets.close()
