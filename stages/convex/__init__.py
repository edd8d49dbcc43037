"""Convex for all stages: its HTTP API, its values, its schema."""
