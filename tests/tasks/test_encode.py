"""Encoding and decoding by a task: chunks leave no trace, and the abilities are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ganvas.errors import UsageError
from ganvas.tasks.encode import decode, encode
from parts import images, small


def built(name: str) -> Any:
    method = small(name)
    torch.manual_seed(0)
    method.setup(images().spec)
    return method.eval().requires_grad_(False)


def test_codes_belong_to_their_images() -> None:
    """Of 70 images, more than a chunk, each has the code that it has alone, and the same image the same code."""
    method = built("vae_gan")
    pixels = np.concatenate([images().images, images().images])[:70]
    codes = encode(method, pixels)
    assert codes.shape == (70, 8) and codes.dtype == np.float32
    np.testing.assert_array_equal(encode(method, pixels[66:67])[0], codes[66])
    np.testing.assert_array_equal(codes[:10], codes[36:46])  # 36 images are for training, then they come again


def test_decoded_is_generated() -> None:
    method = built("vae_gan")
    codes = method.latents(range(3)).numpy()
    made = decode(method, codes)
    assert made.shape == (3, 28, 28, 1) and made.dtype == np.uint8
    np.testing.assert_array_equal(decode(method, codes[1:2])[0], made[1])
    with pytest.raises(UsageError, match=r"codes of this vae_gan have the shape \(n, 8\) \(got \(3, 7\)\)"):
        decode(method, codes[:, :7])


def test_other_methods_do_not_encode() -> None:
    with pytest.raises(UsageError, match=r"gan cannot encode images .*vae_gan.*"):
        encode(built("gan"), images().images)
    with pytest.raises(UsageError, match="gan cannot encode"):
        decode(built("gan"), np.zeros((1, 8), np.float32))
