SELECT key(t.id) AS source_id, r._id AS convex_id, 'name' AS rule
FROM extract.teams t JOIN reference.teams r USING (name)
