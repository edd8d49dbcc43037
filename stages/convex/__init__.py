"""What Convex is, for every stage: its HTTP API, its values, its schema."""
