SELECT
    key(id) AS _source_id,
    id::VARCHAR AS supabaseId,
    ref('workspaces', workspace_id) AS workspace_id,
    title,
    slug,
    description,
    cover_image_url,
    to_ms(scheduled_at) AS scheduled_at,
    coalesce(duration_minutes, 60) AS duration_minutes,
    meeting_url,
    max_registrations,
    coalesce(status, 'draft') AS status,
    to_ms(published_at) AS published_at,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.webinars
