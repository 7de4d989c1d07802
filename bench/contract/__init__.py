"""Contract files: from YAML text to a checked, frozen Contract."""
