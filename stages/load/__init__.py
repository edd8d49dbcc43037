"""Load: send documents to Convex, each exactly once, and record the answers."""
