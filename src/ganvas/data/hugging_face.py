"""Data sets of the Hugging Face hub, through its library `datasets` (the extra `[hf]`).

hf:owner/name              all splits; hf:owner/name:config and hf:owner/name@revision choose one of several

Code that comes with a data set is never run: version 4 of the library and later cannot.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

from ganvas.data.objects import examples_of, list_examples
from ganvas.data.source import Listing
from ganvas.errors import DataError, MissingExtra, UsageError

HUGGING_FACE_PREFIX = "hf:"
DATA_SET_NAME = re.compile(r"(?P<name>[\w.-]+(/[\w.-]+)?)(:(?P<config>[\w.+-]+))?(@(?P<revision>[\w./-]+))?")
MIN_MAJOR_VERSION = 4  # of the library: before it, data sets could bring code
TRAIN, TEST = "train", ("test", "validation", "valid", "val")


class Name(NamedTuple):
    """A data set of the hub."""

    name: str
    config: str | None
    revision: str | None


def parsed(source: str) -> Name:
    """`hf:owner/name:config@revision`; UsageError for anything else."""
    match = DATA_SET_NAME.fullmatch(source.removeprefix(HUGGING_FACE_PREFIX))
    if match is None:
        raise UsageError(
            f"a data set of the hub is hf:OWNER/NAME, hf:OWNER/NAME:CONFIG or hf:OWNER/NAME@REVISION (got {source})"
        )
    return Name(match["name"], match["config"], match["revision"])


def list_hub(source: str) -> Listing:
    """The data set, downloaded by the library where its cache has none; DataError says what to do without a network."""
    name = parsed(source)
    library = _library()
    try:
        splits = library.load_dataset(name.name, name.config, revision=name.revision)
    except Exception as error:  # of the library, of its network client, of the reader of its files
        raise DataError(_failed(source, name, error)) from error
    chosen = _chosen(splits, source)
    examples = {split: examples_of(one) for split, one in chosen.items()}
    identity = json.dumps(["hf", [one._fingerprint for one in chosen.values()]])
    return list_examples(examples, name.name.replace("/", "-"), source, identity)


def _chosen(splits: Any, source: str) -> dict[str, Any]:
    names = list(splits)
    if TRAIN not in names and len(names) > 1:
        raise DataError(f"{source} has the splits {', '.join(names)}, and none is named train")
    chosen = {TRAIN: splits[TRAIN if TRAIN in names else names[0]]}
    for name in TEST:
        if name in names and name != names[0]:
            chosen["test"] = splits[name]
            break
    return chosen


def _failed(source: str, name: Name, error: Exception) -> str:
    reason = str(error).strip().split("\n")[0][:300] or type(error).__name__
    message = f"cannot load {source}: {reason}"
    offline = [
        key
        for key in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
        if os.environ.get(key, "").lower() in ("1", "true", "on", "yes")
    ]
    download = f"hf download --repo-type dataset {name.name}"
    if offline:
        return f"{message}. {offline[0]} is set, and the cache has no such data set: unset it once, or run there: {download}"
    if "config" in reason.lower() and name.config is None:
        return f"{message}. Choose one, as in {source}:CONFIG"
    return (
        f"{message}. Without a network, run `{download}` where there is one and copy the folder; --data takes its path"
    )


def _library() -> Any:
    try:
        import datasets  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingExtra(
            'data sets of the Hugging Face hub are read through `datasets`: pip install "ganvas[hf]"'
        ) from None
    if int(str(datasets.__version__).split(".")[0]) < MIN_MAJOR_VERSION:
        raise MissingExtra(
            f"datasets {datasets.__version__} could run code that comes with a data set: "
            f"pip install 'datasets>={MIN_MAJOR_VERSION}'"
        )
    return datasets
