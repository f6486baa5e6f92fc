"""Videos: clips of a fixed number of frames."""
