SELECT key(id) AS _source_id, body, data, CASE id WHEN 1 THEN 2 END AS author FROM extract.notes
