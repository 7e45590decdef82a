"""Files that requests name as s3://bucket/key: read with the store's own key, where allowed."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from ...jobs import JobsSettings
from ...jobs.stores import S3Store
from ...tasks.egress.allowed import NotAllowed, OutboundError
from ...tasks.egress.fetch import FetchBudget, FetchLimits

#: How such a URL begins.
SCHEME = "s3://"

#: Threads that wait for S3: boto3 blocks, and they are not those that the API works with.
_READERS = ThreadPoolExecutor(16, thread_name_prefix="buckets")

#: Characters of a key, at most: S3's own limit, in bytes.
_LONGEST_KEY = 1024


def names_object(url: str) -> bool:
    """Whether a URL is an object's in a bucket."""
    return url[: len(SCHEME)].lower() == SCHEME


@dataclass(frozen=True)
class Buckets:
    """The buckets that an operator allows, or parts of them, and how they are read."""

    #: `bucket`, or `bucket/prefix/`; none allows nothing.
    allowed: tuple[str, ...]
    jobs: JobsSettings

    @classmethod
    def of(cls, buckets: str, jobs: JobsSettings) -> Buckets:
        """An operator's list, separated by commas or spaces."""
        words = buckets.replace(",", " ").split()
        return cls(tuple(word.removeprefix(SCHEME) for word in words), jobs)

    def __bool__(self) -> bool:
        """Whether any is allowed."""
        return bool(self.allowed)

    def check(self, url: str) -> tuple[str, str]:
        """The bucket and the key that a URL names. Raises NotAllowed."""
        bucket, _, key = url[len(SCHEME) :].partition("/")
        if not bucket or not key or len(key.encode("utf-8", "replace")) > _LONGEST_KEY:
            raise NotAllowed("not s3://bucket/key")
        # Servers and proxies on the way may read these as a folder's.
        if {".", ".."} & set(key.split("/")):
            raise NotAllowed(f"bucket {bucket[:80]!r}: a key with . or .. in it is not read")
        if not any(_within(pattern, bucket, key) for pattern in self.allowed):
            raise NotAllowed(
                f"bucket {bucket[:80]!r} is not in WHERRY_URL_BUCKETS, or not this key"
            )
        return bucket, key

    async def fetch(self, url: str, limits: FetchLimits, budget: FetchBudget) -> bytes:
        """An object's bytes. Raises OutboundError that names the bucket and what was wrong."""
        bucket, key = self.check(url)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limits.timeout_s):
                file = await loop.run_in_executor(
                    _READERS, self._read, bucket, key, limits.max_bytes
                )
        except TimeoutError:
            raise OutboundError(f"bucket {bucket!r}: not done in {limits.timeout_s:g} s") from None
        budget.take(len(file))
        return file

    def close(self) -> None:
        """Close the connections, if there are any."""
        if "_store" in self.__dict__:
            self._store.client.close()

    def _read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        too_large = OutboundError(f"bucket {bucket!r}: the file is over {max_bytes} bytes")
        try:
            answer = self._store.client.get_object(Bucket=bucket, Key=key)
            with answer["Body"] as body:
                if answer["ContentLength"] > max_bytes:
                    raise too_large
                file: bytes = body.read(max_bytes + 1)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "nothing")
            raise OutboundError(f"bucket {bucket!r}: answered {status}") from None
        except BotoCoreError as error:
            raise OutboundError(f"bucket {bucket!r}: {type(error).__name__}") from None
        if len(file) > max_bytes:
            raise too_large
        return file

    @cached_property
    def _store(self) -> S3Store:
        """The connection, which is any bucket's."""
        return S3Store(self.jobs.store_url or SCHEME, self.jobs)


def _within(pattern: str, bucket: str, key: str) -> bool:
    name, _, prefix = pattern.partition("/")
    return name == bucket and key.startswith(prefix)
