"""Models of the Hugging Face hub, down and up, through its library huggingface_hub (the extra `[hub]`).

hf:owner/name                newest revision;  hf:owner/name@v1, hf:owner/name@COMMIT: that one

Only the files of our own layout are asked for. The library keeps them in its cache ($HF_HOME), so that a model which was loaded
once loads without a network too, also with $HF_HUB_OFFLINE. $HF_ENDPOINT names another server, and HF_TOKEN or `hf auth login`
says who one is; we never read or write a token.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ganvas.errors import GanvasError, MissingExtra, RunError, UsageError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PREFIX = "hf:"
DEFAULT_ENDPOINT = "https://huggingface.co"
MAX_MODEL_BYTES = 32 * 2**30  # no model of ours is near it
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_ADDRESS = re.compile(rf"(?P<name>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9][\w./-]{{0,200}}))?")


class Address(NamedTuple):
    """A model of the hub: owner/name, and a branch, tag or commit (None: the newest)."""

    name: str
    revision: str | None


class Pushed(NamedTuple):
    """What an upload left on the hub."""

    url: str
    """Of the commit."""
    revision: str
    """The commit: what `from_pretrained(..., revision=...)` pins."""


def address_of(text: str) -> Address | None:
    """The address in `owner/name`, `owner/name@revision`, with or without hf: before it; None for anything else."""
    match = _ADDRESS.fullmatch(text.removeprefix(PREFIX))
    if match is None or ".." in text or "--" in match["name"]:
        return None
    return Address(match["name"], match["revision"])


def checked_name(text: str) -> str:
    """`owner/name`; UsageError for anything else."""
    address = address_of(text)
    if address is None or address.revision is not None:
        raise UsageError(f"a model of the hub is OWNER/NAME, such as ada/digits-gan (got {text!r})")
    return address.name


def download(address: Address, needed: Sequence[str], optional: Sequence[str] = ()) -> Path:
    """The folder in the library's cache that holds a revision's files; only what is `needed` or `optional` is downloaded.

    RunError where model or revision do not exist, a needed file is missing, or there is no network and no copy in the cache.
    """
    api = _api()
    import huggingface_hub

    if not is_offline():
        _check_files(api, address, needed)
    with _explained(address):
        folder = huggingface_hub.snapshot_download(
            address.name, revision=address.revision, allow_patterns=[*needed, *optional], endpoint=endpoint(),
            local_files_only=is_offline(), library_name="ganvas",
        )  # fmt: skip
    return Path(folder)


def upload(folder: Path, name: str, *, private: bool = False, revision: str | None = None, message: str = "") -> Pushed:
    """Uploads a folder's files as one commit to owner/name, which is made where it does not exist.

    `revision` is a branch, made where it does not exist (None: main). RunError where the hub refuses.
    """
    name = checked_name(name)
    address = Address(name, None)
    api = _api()
    if is_offline():
        raise UsageError("HF_HUB_OFFLINE is set, and an upload needs the network: unset it")
    with _explained(address, uploading=True):
        api.create_repo(name, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(name, branch=revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=name, folder_path=folder, revision=revision, commit_message=message or "Model by ganvas"
        )
    return Pushed(str(commit.commit_url), str(commit.oid))


def is_offline() -> bool:
    """Whether $HF_HUB_OFFLINE is set, or was when the library was imported."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "on", "yes")


def endpoint() -> str:
    """The server: $HF_ENDPOINT, or the hub."""
    return (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")


def _check_files(api: HfApi, address: Address, needed: Sequence[str]) -> None:
    """RunError where a needed file is missing or of no size that a model of ours has, before anything is downloaded."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    with _explained(address):
        try:
            info = api.model_info(address.name, revision=address.revision, files_metadata=True)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except Exception:  # no network, or the server is ill: the cache may have it, and the download says why not
            return
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    missing = [name for name in needed if name not in sizes]
    if missing:
        raise RunError(
            f"{address.name} of {endpoint()} holds no {' and no '.join(missing)}: it is not a model of ganvas, or not whole."
            " ganvas push writes such a model; weights of other projects come in by: ganvas import"
        )
    for name in needed:
        if sizes[name] > MAX_MODEL_BYTES:
            raise RunError(f"{name} of {address.name} has {sizes[name]:,} bytes, and {MAX_MODEL_BYTES:,} is the limit")


@contextmanager
def _explained(address: Address, *, uploading: bool = False) -> Iterator[None]:
    """Turns the library's errors into ours, which say what to do."""
    from huggingface_hub import errors

    name, revision = address
    at = f"{name}@{revision}" if revision else name
    try:
        yield
    except GanvasError:
        raise
    except errors.GatedRepoError:
        raise RunError(
            f"{name} asks for its owner's consent: ask on {endpoint()}/{name}, then run: hf auth login"
        ) from None
    except errors.RepositoryNotFoundError:
        raise RunError(
            f"{endpoint()} has no model {name}, or it is private and you are not logged in: check the name, or run: hf auth login"
        ) from None
    except errors.RevisionNotFoundError:
        raise RunError(
            f"{name} has no revision {revision}: name a branch, a tag or a whole commit of {endpoint()}/{name}/commits"
        ) from None
    except errors.LocalEntryNotFoundError:
        why = "HF_HUB_OFFLINE is set" if is_offline() else f"{endpoint()} cannot be reached"
        raise RunError(
            f"{why}, and the cache has no copy of {at}: load it once with a network, or copy the folder"
        ) from None
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        if uploading and code in (401, 403):
            raise RunError(
                f"{endpoint()} does not let you write {name} (HTTP {code}): run `hf auth login` with a token that may write"
            ) from None
        raise RunError(f"{endpoint()} answered {at} with HTTP {code}: try again later") from None
    except Exception as error:  # of its network client, its file locks, its checks of an answer
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        doing = "upload to" if uploading else "load"
        raise RunError(
            f"cannot {doing} {at} at {endpoint()} ({reason}): check that this machine reaches it, then try again"
        ) from error


def _api() -> HfApi:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtra('models of the hub come through huggingface_hub: pip install "ganvas[hub]"') from None
    return huggingface_hub.HfApi(endpoint=endpoint(), library_name="ganvas")
