"""What autoencoders share: AdamW on all networks together, with one decay of the learning rate."""

from __future__ import annotations

from ganvas.method import Method, setting


class Autoencoder(Method):
    """An encoder `E` and a decoder `G`."""

    batch_size: int = setting(64, "images per step, over all processes together", minimum=1)
    lr: float = setting(1e-3, "learning rate of AdamW at the start", minimum=0)
    weight_decay: float = setting(0.0, "AdamW's weight decay", minimum=0)
    decay: str = setting(
        "cosine", "decay of the learning rate to zero over the budget", choices=("linear", "cosine", "none")
    )
    ema: float = setting(0.999, "decay of the average of all weights per step", minimum=0, maximum=0.999999)
