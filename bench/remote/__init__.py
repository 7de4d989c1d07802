"""Another host, reached by the user's own `ssh`: scripts run there, and what is shipped to it."""
