SELECT key(id) AS _source_id, name, ref('members', lead) AS lead FROM extract.teams
