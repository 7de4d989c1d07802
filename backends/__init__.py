"""Adapters: one file a framework family, never named like the package it imports."""
