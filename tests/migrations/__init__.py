"""Three migrations of the tests' own, each a source, a schema.ts, and what a person edited."""
