-- One row: one user as JSON, with identities. Parameters: the user as a page of one (users.sql),
-- and the user's id. Names are those of the Auth service: `identity_id` is the column id, `id` is
-- provider_id; empty values are left out.
SELECT ($1::jsonb -> 0) || jsonb_build_object(
  'identities',
  (
    SELECT coalesce(
      jsonb_agg(
        jsonb_build_object(
          'identity_id', i.id,
          'id', i.provider_id,
          'user_id', i.user_id,
          'provider', i.provider,
          'created_at', i.created_at,
          'updated_at', i.updated_at
        )
        || jsonb_strip_nulls(
          jsonb_build_object('last_sign_in_at', i.last_sign_in_at, 'email', nullif(i.email, ''))
        )
        || CASE
          WHEN i.identity_data = '{}' THEN '{}'
          ELSE jsonb_build_object('identity_data', i.identity_data)
        END
        ORDER BY i.created_at, i.id
      ),
      '[]'
    )
    FROM auth.identities i
    WHERE i.user_id = $2::uuid
  )
)
