"""`load --through import`: one file with every document and its id, all tables in at once."""
