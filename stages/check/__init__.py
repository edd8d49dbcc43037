"""`stages check`: check everything that a migration depends on before any data is moved."""
