"""Uses of a trained method. A task asks for an ability (ganvas.method), never for a name."""
