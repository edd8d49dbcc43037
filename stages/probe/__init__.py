"""`stages check --probe`: what only a live deployment and a hosted project can answer."""
