-- One row: a page of auth.users as a JSON array, and the total number of users. Parameters: page
-- size, offset, and a single id to show, or null for all. Lists the fields to show rather than
-- those to hide, so that no secret is exposed by accident.
SELECT
  (
    SELECT coalesce(json_agg(page.shown ORDER BY page.created DESC NULLS LAST, page.id), '[]')::text
    FROM (
      SELECT
        u.row ->> 'created_at' AS created,
        u.row ->> 'id' AS id,
        '{"aud": "authenticated", "role": "authenticated"}'::jsonb || (
          SELECT jsonb_object_agg(field.key, field.value)
          FROM jsonb_each(u.row) field
          WHERE field.key = ANY (ARRAY[
            'id', 'aud', 'role', 'email', 'phone', 'email_confirmed_at', 'phone_confirmed_at',
            'confirmed_at', 'last_sign_in_at', 'created_at', 'updated_at', 'banned_until',
            'is_anonymous'
          ])
        ) || jsonb_build_object(
          'user_metadata', coalesce(nullif(u.row -> 'raw_user_meta_data', 'null'), '{}'),
          'app_metadata', coalesce(nullif(u.row -> 'raw_app_meta_data', 'null'), '{}')
        ) AS shown
      FROM (SELECT to_jsonb(users) AS row FROM auth.users WHERE $3::uuid IS NULL OR id = $3) u
      ORDER BY created DESC NULLS LAST, id
      LIMIT $1 OFFSET $2
    ) page
  ),
  (SELECT count(*) FROM auth.users)
