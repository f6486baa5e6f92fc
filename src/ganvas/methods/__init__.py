"""One paper, one file, in a folder of its family. Methods in files here are registered automatically (see CONTRIBUTING.md)."""
