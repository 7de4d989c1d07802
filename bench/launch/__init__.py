"""Launchers: how a worker process is started. All speak the same lines with it."""
