"""Load: documents to Convex, each exactly once, and the answers written down."""
