SELECT
    key(id) AS _source_id,
    ref('workspaces', workspace_id) AS workspace_id,
    country,
    city,
    university_name,
    requirements,
    pg_array(programs) AS programs,
    coalesce(is_promoted, false) AS is_promoted,
    coalesce(priority, 0) AS priority,
    notes,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.ari_destinations
