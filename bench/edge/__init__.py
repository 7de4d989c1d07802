"""Boards: what one is, what it lacks, and how it gets what it needs without internet of its own."""
