"""Text with adversarial training."""
