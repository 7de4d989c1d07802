"""benchpact: one file says what a model owes, one command says whether it keeps it."""

__version__ = "0.1.0"
