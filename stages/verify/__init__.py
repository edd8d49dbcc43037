"""Verify: Convex read back and compared with what is staged; nothing is written to Convex."""
