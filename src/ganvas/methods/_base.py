"""What methods of several families share: networks that are conditioned on classes, text, and the decay of the learning rate."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ganvas.abilities import Samples, classes_of
from ganvas.draws import Draw
from ganvas.errors import DataError, UsageError
from ganvas.method import DataSpec, Method, setting

MOST_CLASSES = 100  # beyond that the networks grow by more than the classes are worth in a short training
FEWEST_A_CLASS = 50  # images in the mean; with fewer a network memorises them
LEAST_AGREEMENT = (
    0.9  # of labels and images; with less, classes cost more than they are worth: docs/experiments/gans.md
)


def worth_conditioning(spec: DataSpec) -> bool:
    """Whether networks that may be conditioned on classes or not should be: all images have labels, of 2 to 100 classes that
    have 50 images each in the mean and that say what an image looks like: nine of ten are nearest to one of their class."""
    used = sum(count > 0 for count in spec.class_counts)
    labelled = sum(spec.class_counts)
    few_enough = used >= 2 and len(spec.classes) <= MOST_CLASSES
    alike = spec.label_agreement is None or spec.label_agreement >= LEAST_AGREEMENT
    return alike and few_enough and labelled == spec.count and spec.count >= FEWEST_A_CLASS * used


def decay_setting(default: str) -> Any:
    """The setting `decay`, for `step_factor`."""
    return setting(
        default,
        "decay of the learning rate to zero over the budget; second_half leaves it whole until then",
        choices=("none", "linear", "cosine", "second_half"),
    )


def refuse_without_effect(method: Method, because: str, *names: str) -> None:
    """UsageError where one of the settings `names`, which have no effect here, was given another value than its default."""
    given = [name for name in names if getattr(method, name) != getattr(type(method), name)]
    if given:
        raise UsageError(
            f"{because}, and {' and '.join(given)} would have no effect: omit {'it' if len(given) == 1 else 'them'}"
        )


class ClassConditional(Method):
    """A method whose networks can be conditioned on classes."""

    classes = 0
    """Classes that the networks are conditioned on; 0 where they are not (see `learn_classes`)."""

    def classes_for(self, spec: DataSpec, conditional: bool | None) -> int:
        """For `build`: the classes that the networks are conditioned on, 0 for none. `conditional` is the setting; what it leaves
        open (None) is decided here and becomes its value."""
        if conditional is None:
            conditional = worth_conditioning(spec)
            self.conditional = conditional
        return self.learn_classes(spec) if conditional else 0

    def learn_classes(self, spec: DataSpec) -> int:
        """For `build`, where the networks are conditioned on classes: sets `classes` and returns it. DataError without labels."""
        if not spec.classes:
            raise DataError(
                f"{self.name} learns by class here, and {spec.name} has no labels: put the {spec.unit} of each class into"
                " a sub-folder of its own, or `labels` into the .npz"
            )
        class_counts = spec.class_counts or [1] * len(spec.classes)
        counts = torch.tensor(class_counts, dtype=torch.float32)
        used = [name for name, count in zip(spec.classes, class_counts, strict=True) if count]
        if len(used) < 2:
            raise DataError(
                f"{self.name} learns by class here, and all {spec.unit} of {spec.name} are of one class ({used[0]}):"
                " it takes two or more"
            )
        self.class_share: Tensor
        self.register_buffer("class_share", counts / counts.sum(), persistent=False)
        self.classes = len(spec.classes)
        return self.classes

    def class_shares(self) -> Tensor | None:
        """How often each class occurs in the data, (K,); None where the networks are not conditioned on classes."""
        return self.class_share if self.classes else None

    def class_of(self, numbers: Tensor) -> Tensor:
        """A class (n,) int64 for each number (n,) in [0, 1), as often as in the data."""
        return classes_of(numbers, self.class_share.to(numbers.device))


class TokenByToken(Method, Samples):
    """A method that generates texts one token after the other: a latent holds one uniform number per token. Subclasses define
    `continue_text`."""

    value_by_value: ClassVar[bool] = True
    length: int
    """Tokens of a text; a setting of each such method."""

    def learn_tokens(self, spec: DataSpec) -> None:
        """For `build`: sets `lengths`, the characters of each token, and `first`, the token before a text."""
        self.lengths: Tensor  # (V,)
        lengths = torch.tensor([len(token) for token in spec.text.tokens], dtype=torch.float32)
        self.register_buffer("lengths", lengths, persistent=False)
        self.first = spec.text.first

    def draws(self) -> tuple[Draw, ...]:
        """One uniform number per token."""
        return (Draw("uniform", self.length),)

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Tokens (n, L) int64 from latents (n, L), of a text that starts on a new line."""
        return self.continue_text(torch.tensor([self.first], device=latents.device), latents)
