"""`stages init`: a migration written from a source's catalog and a project's convex/schema.ts."""
