SELECT
    key(id) AS _source_id,
    ref('workspaces', workspace_id) AS workspace_id,
    hot_threshold,
    warm_threshold,
    weight_basic,
    weight_qualification,
    weight_document,
    weight_engagement,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.ari_scoring_config
