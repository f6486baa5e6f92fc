"""Encoding and decoding by a task: chunks leave no trace, and the abilities are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ganvas.errors import UsageError
from ganvas.tasks.encode import decode, encode
from parts import pictures, small


def built(name: str) -> Any:
    method = small(name)
    torch.manual_seed(0)
    method.build(pictures().spec)
    method.spec = pictures().spec
    return method.eval().requires_grad_(False)


def test_codes_belong_to_their_pictures() -> None:
    """Of 70 pictures, more than a chunk, each has the code that it has alone, and the same picture the same code."""
    method = built("vae_gan")
    images = np.concatenate([pictures().images, pictures().images])[:70]
    codes = encode(method, images)
    assert codes.shape == (70, 8) and codes.dtype == np.float32
    np.testing.assert_array_equal(encode(method, images[66:67])[0], codes[66])
    np.testing.assert_array_equal(codes[:10], codes[36:46])  # 36 pictures are for training, then they come again


def test_decoded_is_generated() -> None:
    method = built("vae_gan")
    codes = method.latents(range(3)).numpy()
    made = decode(method, codes)
    assert made.shape == (3, 28, 28, 1) and made.dtype == np.uint8
    np.testing.assert_array_equal(decode(method, codes[1:2])[0], made[1])
    with pytest.raises(UsageError, match=r"codes of this vae_gan have the shape \(n, 8\) \(got \(3, 7\)\)"):
        decode(method, codes[:, :7])


def test_other_methods_do_not_encode() -> None:
    with pytest.raises(UsageError, match=r"gan cannot find the latents of given pictures; .*vae_gan.* can"):
        encode(built("gan"), pictures().images)
    with pytest.raises(UsageError, match="gan does not encode"):
        decode(built("gan"), np.zeros((1, 8), np.float32))
