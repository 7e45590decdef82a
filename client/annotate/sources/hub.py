"""Files of a data set on the Hugging Face Hub, at one commit: fetched once, and kept in its cache.

The token is `HF_TOKEN`'s or of `hf auth login`, the place of the cache `HF_HOME`'s, the server
`HF_ENDPOINT`'s; with `HF_HUB_OFFLINE` nothing is asked, and the cache has what there is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ....protocol.errors import InvalidRequest, RowError, Unavailable
from ....protocol.file_words import reason_of
from .files import FileStore, FolderEntry, missing
from .hub_parts import described
from .hub_spelling import HubSpelling, hub_spelling
from .remote import tried_file

try:
    import httpx2
    import huggingface_hub as hf
    from huggingface_hub import constants as hf_constants
    from huggingface_hub import errors as hf_errors
    from huggingface_hub.utils import tqdm as hub_bar  # type: ignore[attr-defined] # it is public
except ImportError:
    raise missing("huggingface_hub", "hub") from None

T = TypeVar("T")

_KIND = "dataset"

#: What says which files are whose; and what nearly every data set has, so that something is found.
_DESCRIPTION, _ALWAYS = "README.md", ".gitattributes"

#: Statuses below 500 that may be another a moment later.
_LATER = (408, 425, 429)

#: Bytes that are read at once of a file that is only looked into.
_GLANCE_BYTES = 1 << 20


def open_hub(spec: str) -> tuple[HubFiles, str]:
    """The data set that a URL names, and the path there. Raises InvalidRequest for no such URL."""
    named = hub_spelling(spec)
    return HubFiles(named), named.path


class _NoBar(hub_bar):
    """The hub's bar, unseen: a run has its own."""

    def __init__(self, *args: Any, **options: Any) -> None:  # whatever tqdm takes
        super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call] # tqdm


class HubFiles(FileStore):
    """The files of one data set; the Hub is asked when the first of them is looked for."""

    threads = 16

    def __init__(self, named: HubSpelling) -> None:
        self._id, self._named = named.id, named

    @cached_property
    def _commit(self) -> str:
        """The commit that all is read at. Raises InvalidRequest, Unavailable."""
        named = self._named
        return str(
            self._asked(
                lambda: hf.HfApi().resolve_revision(
                    named.id, repo_type=_KIND, revision=named.revision or None
                )
            ).resolved
        )

    @cached_property
    def _paths(self) -> Sequence[str]:
        """All files, in order. Raises InvalidRequest, Unavailable."""
        return self._asked(self._listed)

    def _listed(self) -> Sequence[str]:
        ask: dict[str, Any] = {"repo_type": _KIND, "revision": self._commit}
        try:
            tree = hf.get_cached_repo_tree(self._id, **ask)
        except hf_errors.CachedRepoTreeNotFoundError:
            if hf_constants.is_offline_mode():
                raise self._not_there() from None
            few = [_DESCRIPTION, _ALWAYS]
            hf.snapshot_download(self._id, **ask, allow_patterns=few, tqdm_class=_NoBar)
            try:
                tree = hf.get_cached_repo_tree(self._id, **ask)
            except hf_errors.CachedRepoTreeNotFoundError:  # the cache cannot be written
                found = hf.list_repo_tree(self._id, recursive=True, **ask)
                tree = [file for file in found if isinstance(file, hf.RepoFile)]
        return sorted(str(file.path) for file in tree)

    @cached_property
    def _ranges(self) -> Any:  # fsspec has no types
        return hf.HfFileSystem(skip_instance_cache=True)

    def pinned(self, path: str) -> str:
        """The path's spelling that names the commit."""
        return str(HubSpelling(self._id, self._commit, path))

    def described(self, path: str) -> list[str] | None:
        """The tables that a data set's configuration or split stands for; None for a file.

        Raises InvalidRequest.
        """
        if self.is_file(path):
            return None
        header: dict[str, Any] = {}
        if _DESCRIPTION in self._paths:
            header = hf.metadata_load(self._fetched(_DESCRIPTION)) or {}
        try:
            found = described(header, self._paths, path)
        except InvalidRequest as error:
            raise InvalidRequest(f"{self.shown(path)}: {error.message}") from None
        if found and hf_constants.is_offline_mode():
            for file in found:
                self._fetched(file)
        return found

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that path."""
        return next(self._from(path), None) == path

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""
        below = f"{path.rstrip('/')}/" if path else ""
        return next(self._from(below), "").startswith(below) and bool(self._paths)

    def _from(self, path: str) -> Iterator[str]:
        """All paths from one on, in order."""
        return islice(self._paths, bisect_left(self._paths, path), None)

    def keys(self, folder: str, begin: str = "") -> Iterator[str]:
        """Paths below a folder in their order, from `begin` on."""
        below = f"{folder.rstrip('/')}/" if folder else ""
        for path in self._from(below + begin):
            if not path.startswith(below):
                return
            yield path[len(below) :]

    def entries(self, folder: str) -> Iterator[FolderEntry]:
        """What a folder holds."""
        last = ""
        for path in self.keys(folder):
            name, slash, _ = path.partition("/")
            if name != last or not slash:
                yield FolderEntry(name, bool(slash))
            last = name

    def open(self, path: str) -> BinaryIO:
        """A file to read from its beginning. Raises RowError, Unavailable."""
        return Path(self._fetched(path)).open("rb")

    def read(self, path: str) -> bytes:
        """A whole file. Raises RowError, Unavailable."""
        return Path(self._fetched(path)).read_bytes()

    @contextmanager
    def held(self, path: str) -> Iterator[BinaryIO]:
        """The copy in the cache. Raises RowError, Unavailable."""
        with self.open(path) as file:
            yield file

    def glance(self, path: str) -> BinaryIO:
        """A file of which little is read: only that is fetched. Raises RowError, Unavailable."""
        if self._kept(path) or hf_constants.is_offline_mode():
            return self.open(path)
        where = f"datasets/{self._id}@{self._commit}/{path}"
        file = self._asked(lambda: self._ranges.open(where, "rb", block_size=_GLANCE_BYTES), path)
        return tried_file(lambda path, read: self._asked(read, path), path, file)

    def join(self, folder: str, path: str) -> str:
        """A path as seen from a folder."""
        parts = list[str]()
        for part in [*folder.split("/"), *path.split("/")]:
            if part == ".." and parts:
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        return "/".join(parts)

    def shown(self, path: str) -> str:
        """As a URL, of whatever commit."""
        return str(HubSpelling(self._id, "", path))

    def _kept(self, path: str) -> bool:
        found = hf.try_to_load_from_cache(self._id, path, revision=self._commit, repo_type=_KIND)
        return isinstance(found, str)

    def _fetched(self, path: str) -> str:
        """This machine's copy of a file. Raises RowError, InvalidRequest, Unavailable."""
        if not self.is_file(path):
            raise RowError("No such file or directory")
        return self._asked(
            lambda: hf.hf_hub_download(
                self._id, path, repo_type=_KIND, revision=self._commit, tqdm_class=_NoBar
            ),
            path,
        )

    def _asked(self, ask: Callable[[], T], path: str = "") -> T:
        """What the Hub gives; its library has tried more than once before it gives up.

        A Hub that is away is no reason to call a row bad. Raises RowError, InvalidRequest,
        Unavailable.
        """
        try:
            return ask()
        except (hf_errors.RevisionResolutionError, hf_errors.LocalEntryNotFoundError) as error:
            if hf_constants.is_offline_mode():
                raise self._not_there(path) from None
            failure: BaseException = error.__cause__ or error
        except (hf_errors.RepositoryNotFoundError, hf_errors.RevisionNotFoundError) as error:
            raise self._refused(error) from None
        except (hf_errors.HFValidationError, httpx2.ProxyError) as error:
            raise InvalidRequest(f"{self._named}: {error}") from None
        except hf_errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status in (401, 403):
                raise self._refused(error) from None
            if status < 500 and status not in _LATER:
                raise RowError(f"the Hub answers {status}") from None
            failure = error
        except (httpx2.TransportError, TimeoutError, ConnectionError) as error:
            failure = error
        except OSError as error:  # this machine's disk
            raise Unavailable(f"{self.shown(path)}: {reason_of(error)}") from None
        told = str(failure).partition("\n")[0] or type(failure).__name__
        raise Unavailable(f"{self.shown(path)}: the Hub: {told}")

    def _refused(self, error: Exception) -> InvalidRequest:
        """Why the Hub does not give it, in words that name no token."""
        if isinstance(error, hf_errors.RevisionNotFoundError):
            return InvalidRequest(f"{self._named}: has no revision {self._named.revision!r}")
        if isinstance(error, hf_errors.GatedRepoError):
            told = "is open to those who were granted access: HF_TOKEN says who asks"
        else:
            told = "is not there, or private: HF_TOKEN says who asks"
        return InvalidRequest(f"{self._named}: {told}")

    def _not_there(self, path: str = "") -> InvalidRequest:
        at = f" --revision {self._named.revision}" if self._named.revision else ""
        return InvalidRequest(
            f"{self.shown(path)}: is not in the cache, and HF_HUB_OFFLINE is set: run "
            f"`hf download {self._id} --repo-type dataset{at}` where the Hub can be reached"
        )
