"""The page: what the staged files show of a migration, for a browser; read-only."""
