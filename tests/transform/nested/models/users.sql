SELECT key(id) AS _source_id, name FROM extract.users
