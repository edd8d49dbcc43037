SELECT key(id) AS _source_id, ref('people', owner) AS owner, kind, to_ms(born) AS born
FROM extract.pets
