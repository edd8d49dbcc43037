SELECT
    key(id) AS _source_id,
    ref('workspaces', workspace_id) AS workspace_id,
    ai_model,
    coalesce(conversation_count, 0) AS conversation_count,
    avg_response_time_ms,
    coalesce(total_tokens_used, 0) AS total_tokens_used,
    coalesce(conversion_count, 0) AS conversion_count,
    to_number(satisfaction_score) AS satisfaction_score,
    to_ms(period_start) AS period_start,
    to_ms(period_end) AS period_end,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.ari_ai_comparison
