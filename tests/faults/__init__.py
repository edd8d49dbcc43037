"""Kills and broken networks: whatever happens on the way, the end is that of a quiet run."""
