"""`stages check`: everything that a migration meets, looked at before anything is moved."""
