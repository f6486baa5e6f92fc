"""What a wish for a training comes to: started or gone on with, on data that are open."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.cli.config import Wish
    from ganvas.data import Dataset
    from ganvas.run import Run


@dataclasses.dataclass(frozen=True)
class Choice:
    """A wish that can be trained: everything about it is checked but what only building the networks shows."""

    wish: Wish
    old: Run | None
    data: Dataset

    @classmethod
    def of(cls, wish: Wish) -> Choice:
        """Looks for the run to continue, and opens the data."""
        from ganvas.training.request import find_old

        old = find_old(wish.resume, wish.out)
        return cls(*_going_on(wish, old)) if old else cls(*_starting(wish))

    def arguments(self) -> dict[str, Any]:
        """What `prepare` takes, but for the listeners."""
        wish = self.wish
        names = (
            "out",
            "minutes",
            "images",
            "steps",
            "preset",
            "settings",
            "data_settings",
            "resume",
            "checkpoint_every",
            "evaluate_every",
            "codes",
        )
        given = {name: getattr(wish, name) for name in names}
        defaulted = {
            name: getattr(wish, name)
            for name in ("seed", "device", "precision", "compile")
            if getattr(wish, name) is not None
        }
        return {"method": wish.method, "data": self.data, **given, **defaulted}


def _starting(wish: Wish) -> tuple[Wish, None, Dataset]:
    from ganvas.cli.opening import open_shown
    from ganvas.data.builtin_sets import SETS
    from ganvas.errors import UsageError
    from ganvas.registry import create, method_names
    from ganvas.training.request import new_folder

    if wish.method is None:
        raise UsageError(
            f"which method? Name one of {', '.join(method_names())}, as in: ganvas train r3gan --data digits"
        )
    create(wish.method, wish.preset, wish.settings)
    if wish.data is None:
        raise UsageError(
            "--data is missing: give a folder of images, of .wav files or of text, a .zip, .npz, .npy, IDX or .txt file,"
            f" or one of {', '.join(SETS)}"
        )
    if wish.out is not None:
        new_folder(wish.out, "", "")  # says at once that it is taken
    return wish, None, open_shown(wish.data, wish.data_settings)


def _going_on(wish: Wish, old: Run) -> tuple[Wish, Run, Dataset]:
    from ganvas.cli.opening import open_shown
    from ganvas.errors import RunError
    from ganvas.training.request import check_same

    info = old.info
    check_same(old, wish.method or "", wish.data or "", wish.preset, wish.settings, wish.data_settings)
    if wish.seed is not None and wish.seed != info["seed"]:
        raise RunError(
            f"{old.folder} was started with seed {info['seed']}, not {wish.seed}: omit --seed, or start a new run"
        )
    wish = dataclasses.replace(wish, method=info["method"], preset=info.get("preset"), seed=info["seed"])
    return wish, old, open_shown(info["data"], info["data_settings"])
