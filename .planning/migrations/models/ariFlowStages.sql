SELECT
    key(id) AS _source_id,
    ref('workspaces', workspace_id) AS workspace_id,
    name,
    goal,
    sample_script,
    exit_criteria,
    stage_order,
    coalesce(is_active, true) AS is_active,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.ari_flow_stages
