SELECT key(id) AS _source_id, name, ref('teams', team) AS team, ref('people', manager) AS manager
FROM extract.people
