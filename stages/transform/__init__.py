"""Transform: source rows to Convex documents, by one SQL model a table, checked in DuckDB."""
