"""Methods that make an image of an image: translation and restoration."""
