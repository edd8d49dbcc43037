SELECT
    key(u.id) AS _source_id,
    c.clerk_id AS clerkId,
    u.email
FROM extract.auth_users u
LEFT JOIN side.clerk c ON c.supabase_id = key(u.id)
