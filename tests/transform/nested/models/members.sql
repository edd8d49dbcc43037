SELECT key(id) AS _source_id, ref('teams', team) AS team, refs('members', pg_array(friends)) AS friends FROM extract.members
