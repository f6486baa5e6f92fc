"""Uses of a trained method. A task asks for an ability (ganvas.abilities), never for a method's name."""
