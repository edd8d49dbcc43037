"""Three migrations just for tests, each with a source, a schema.ts, and a user's edits."""
