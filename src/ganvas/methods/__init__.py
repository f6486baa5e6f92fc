"""One paper, one file, in a folder of its family. A file here is found and its method registered by itself (see CONTRIBUTING.md)."""
