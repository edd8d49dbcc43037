SELECT key(id) AS _source_id, body, data FROM extract.notes
