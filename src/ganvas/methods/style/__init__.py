"""Style transfer: photos in the style of a painting."""
