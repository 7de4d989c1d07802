"""From what a case gave to what it means: figures, verdicts and an exit code. Pure but for the user's own metric."""
