"""One paper, one file. A file here is found and its method registered by itself (see CONTRIBUTING.md)."""
