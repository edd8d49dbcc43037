"""Kills and broken networks: whatever happens, the end result is that of an undisturbed run."""
