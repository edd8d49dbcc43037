"""`make bench`: how fast extract is, and in how much memory, next to what else could be used."""
