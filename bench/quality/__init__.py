"""How outputs compare with labels and with reference predictions: pure functions of arrays."""
