"""What you need to know before a migration: what there is, what it takes, what it costs."""
