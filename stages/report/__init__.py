"""The report of a migration: JSON and Markdown."""
