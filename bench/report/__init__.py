"""Pure functions from a stored run to what a person or a machine reads: one file a format."""
