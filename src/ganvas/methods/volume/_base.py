"""What methods that generate volumes share: z, and a generator `G` whose outputs are logits of occupancy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganvas.abilities import Draw, LatentSpace, Samples
from ganvas.data.augment import shifted
from ganvas.method import Batch, setting, step_factor
from ganvas.methods._base import ClassConditional, decay_setting

AXES = 3


def mirrored(volumes: Tensor, sides: Tensor) -> Tensor:
    """`volumes` (N, D, H, W), each mirrored along those of its axes where `sides` (N, 3), bool, are true."""
    for axis in range(AXES):
        share = sides[:, axis].to(volumes.dtype).view(-1, 1, 1, 1)
        volumes = volumes.lerp(volumes.flip(axis + 1), share)  # exact at 0 and 1, in half of the time of `where`
    return volumes


class Volumetric(ClassConditional, Samples):
    """Base of methods with a generator G(z), or G(z, label), to logits (N, D, H, W)."""

    takes = ("volumes",)
    batch_size: int = setting(32, "volumes per step, over all processes together", minimum=2)
    z_dim: int = setting(64, "size of the latent", minimum=1, fewer_is_fine=True)
    widths: tuple[int, ...] = setting(
        (64, 32, 16),
        "channels from the smallest grid up, each twice as long as the one before; full size excepted",
        minimum=1,
    )
    shift: int = setting(
        0,
        "maximum random shift of volumes along each axis in training; a VAE shifts its samples likewise, a GAN may",
        minimum=0,
        unit="voxels",
    )
    mirror: bool = setting(
        False,
        "mirror volumes at random along each axis in training, and a GAN's samples; for shapes whose mirror images are as"
        " likely as they",
    )
    conditional: bool = setting(False, "condition the networks on the class of each volume; the data need labels")
    decay: str = decay_setting("linear")
    ema: float = setting(0.999, "decay of the average of the averaged networks per step", minimum=0, maximum=0.999999)
    truncation: float = setting(
        1.0,
        "sampling: factor of z; 1 as trained, towards 0 nearer to one shape, above 1 more varied",
        minimum=0,
        maximum=2,
    )

    of_sampling = ("truncation",)

    G: nn.Module

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress)

    def occupancy(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Logits of occupancy (N, D, H, W), float32."""
        if self.classes:
            return self.G(z, labels).float()
        return self.G(z).float()

    def moved(self, batch: Batch, volumes: Tensor) -> Tensor:
        """`volumes` (k * len(batch), D, H, W), each mirrored along each axis or not with `mirror`, and shifted by up to `shift`
        whole voxels along each axis; borders repeat."""
        times = len(volumes) // len(batch)
        if self.mirror:
            volumes = mirrored(volumes, torch.cat([batch.integers(2, AXES) for _ in range(times)]).bool())
        if not self.shift:
            return volumes
        offsets = torch.cat([batch.integers(2 * self.shift + 1, 3) for _ in range(times)]) - self.shift
        within = shifted(volumes, offsets[:, 1], offsets[:, 2])
        upright = shifted(within.transpose(1, 2), offsets[:, 0], torch.zeros_like(offsets[:, 0]))
        return upright.transpose(1, 2)

    # --- sampling -------------------------------------------------------------------------------------------------------

    def draws(self) -> tuple[Draw, ...]:
        """z, normal numbers."""
        return (Draw("normal", self.z_dim),)

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Volumes (n, D, H, W) in [-1, 1]: twice the probability of occupancy, minus 1."""
        return 2 * self.occupancy(self.truncation * latents, labels).sigmoid() - 1

    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """z."""

        def synthesise(points: Tensor, labels: Tensor | None, noise: Sequence[Tensor | None]) -> Tensor:
            return self.generate(points, labels)

        return (LatentSpace("z", lambda latents, labels: latents, synthesise, self.z_dim, normal=True, network=self.G),)
