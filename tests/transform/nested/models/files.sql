SELECT key(id) AS _source_id, name, content, revision FROM extract.files
