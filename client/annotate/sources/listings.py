"""Keys of a bucket page by page, in their order, as each cloud's own listing gives them.

fsspec's own `ls` and `find` make one list of a whole bucket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class StoredKey(NamedTuple):
    """A key, and what it holds now: another tag once that is another."""

    key: str
    tag: str


class KeyPage(NamedTuple):
    """Some keys, and what the page after them is asked with; None for the last."""

    keys: list[StoredKey]
    next: str | None


#: A page of the keys of a bucket below a prefix, from some key on: (bucket, prefix, begin, next).
#: Keys before `begin` may be among the first.
ListPage = Callable[[str, str, str, "str | None"], KeyPage]


def key_lister(fs: Any) -> ListPage | None:  # Any: fsspec has no types
    """What lists a file system's keys; None for one that has folders alone."""
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    if hasattr(fs, "call_s3"):
        return lambda *asked: _s3_page(fs, *asked)
    if "gs" in protocols:
        return lambda *asked: _gcs_page(fs, *asked)
    if "abfs" in protocols and hasattr(fs, "service_client"):
        return lambda *asked: _azure_page(fs, *asked)
    return None


def _s3_page(fs: Any, bucket: str, prefix: str, begin: str, token: str | None) -> KeyPage:
    asked = {"Bucket": bucket, "Prefix": prefix}
    if token is not None:
        asked["ContinuationToken"] = token
    elif begin:
        # It begins behind the key that it is told: behind the one without its last character
        # stands little else than `begin`.
        asked["StartAfter"] = begin[:-1]
    page = fs.call_s3("list_objects_v2", **asked)
    keys = [
        StoredKey(str(item["Key"]), f"{str(item.get('ETag', '')).strip(chr(34))}-{item['Size']}")
        for item in page.get("Contents", ())
    ]
    return KeyPage(keys, page["NextContinuationToken"] if page.get("IsTruncated") else None)


def _gcs_page(fs: Any, bucket: str, prefix: str, begin: str, token: str | None) -> KeyPage:
    fields = "items(name,generation),nextPageToken"
    asked = {"prefix": prefix, "maxResults": 1000, "fields": fields}
    if token is not None:
        asked["pageToken"] = token
    if begin:
        asked["startOffset"] = begin
    page = fs.call("GET", "b/{}/o", bucket, json_out=True, **asked)
    items = page.get("items", ())
    keys = [StoredKey(str(item["name"]), str(item.get("generation", ""))) for item in items]
    return KeyPage(keys, page.get("nextPageToken"))


def _azure_page(fs: Any, container: str, prefix: str, begin: str, token: str | None) -> KeyPage:
    from fsspec.asyn import sync

    page: Any = sync(fs.loop, _azure_page_async, fs, container, prefix, begin, token)
    return KeyPage(*page)


async def _azure_page_async(
    fs: Any, container: str, prefix: str, begin: str, token: str | None
) -> KeyPage:
    begins = {"start_from": begin} if begin else {}
    async with fs.service_client.get_container_client(container) as client:
        # Of Azure's own 5,000 a page takes 40 MB.
        pages = client.list_blobs(
            name_starts_with=prefix, include=["metadata"], results_per_page=1000, **begins
        ).by_page(continuation_token=token)
        keys = []
        async for page in pages:
            keys = [
                StoredKey(str(blob.name), str(blob.etag))
                async for blob in page
                if not _is_folder(blob.metadata)
            ]
            break
        return KeyPage(keys, pages.continuation_token or None)


def _is_folder(metadata: dict[str, str] | None) -> bool:
    """Whether a blob stands for its folder, as an account with folders lists them."""
    return (metadata or {}).get("hdi_isfolder", "").lower() == "true"
