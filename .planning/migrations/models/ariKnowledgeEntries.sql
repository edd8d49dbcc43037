SELECT
    key(id) AS _source_id,
    ref('workspaces', workspace_id) AS workspace_id,
    ref('ariKnowledgeCategories', category_id) AS category_id,
    title,
    content,
    coalesce(is_active, true) AS is_active,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.ari_knowledge_entries
