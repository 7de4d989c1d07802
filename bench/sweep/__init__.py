"""A sweep: one contract on many configurations of its targets; which of them keep it, and which is the cheapest."""
