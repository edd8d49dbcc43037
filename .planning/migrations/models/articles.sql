SELECT
    key(id) AS _source_id,
    id::VARCHAR AS supabaseId,
    ref('workspaces', workspace_id) AS workspace_id,
    title,
    slug,
    excerpt,
    content,
    cover_image_url,
    coalesce(status, 'draft') AS status,
    to_ms(published_at) AS published_at,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.articles
