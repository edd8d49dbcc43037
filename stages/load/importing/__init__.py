"""`load --through import`: one file with all documents and their ids, for all tables together."""
