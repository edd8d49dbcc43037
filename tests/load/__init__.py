"""Load against the real functions, from staged files that are made by hand."""
