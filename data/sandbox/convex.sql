-- What the Convex deployment has before the migration: one document a row, as a line of JSON,
-- parents first. "ref:<table>:<key>" stands for the _id that the document of that key was given.
--
-- An earlier migration made workspaces, contacts and conversations of the same source rows, a null
-- time the time of its run. It did not finish, and something went twice. Organizations come from
-- the identity provider.
--   workspaces     ghost-town (9) is missing; twin-cities (10) is there twice; one is Convex's own
--   contacts       95, 96 and those without a workspace are missing; 93 is there twice
--   conversations  75, 76 and those without a contact are missing
--   organizations  makassar-torn's (8) is linked to another workspace, medan-abroad's (4) to none;
--                  semarang-lost-org's (7), which the mapping file names, is missing
WITH
run (at) AS (VALUES (timestamptz '2024-12-01 04:00:00+00')),
made_workspaces AS (
  SELECT w.*, copy.key, n
  FROM generate_series(1, 10) n
  JOIN workspaces w ON w.id = md5('workspaces:' || n)::uuid,
    LATERAL (VALUES (w.id::text), (w.id || ':again')) copy (key)
  WHERE n <> 9 AND (n = 10 OR copy.key = w.id::text)
),
made_contacts AS (
  SELECT c.*, copy.key, i.n
  FROM generate_series(1, 100) i (n)
  JOIN contacts c ON c.id = md5('contacts:' || i.n)::uuid
  JOIN made_workspaces w ON w.key = c.workspace_id::text,
    LATERAL (VALUES (c.id::text), (c.id || ':again')) copy (key)
  WHERE i.n NOT IN (95, 96) AND (i.n = 93 OR copy.key = c.id::text)
),
made_conversations AS (
  SELECT v.*, i.n
  FROM generate_series(1, 100) i (n)
  JOIN ari_conversations v ON v.id = md5('ari_conversations:' || i.n)::uuid
  JOIN made_contacts c ON c.key = v.contact_id::text
  WHERE i.n NOT IN (75, 76)
),
documents (place, number, "table", key, document) AS (
  SELECT
    1, n, 'workspaces', key,
    jsonb_build_object(
      'name', name,
      'slug', slug,
      'owner_id', owner_id,
      'kapso_phone_id', kapso_phone_id,
      'settings', settings,
      'created_at', floor(extract(epoch FROM coalesce(created_at, run.at)) * 1000),
      'updated_at', floor(extract(epoch FROM coalesce(updated_at, run.at)) * 1000)
    )
  FROM made_workspaces, run
  UNION ALL
  SELECT
    1, 11, 'workspaces', 'made-in-convex',
    jsonb_build_object(
      'name', 'Makassar (new)',
      'slug', 'makassar-new',
      'owner_id', 'user_2sandboxOwnerOfMakassar',
      'created_at', floor(extract(epoch FROM run.at) * 1000),
      'updated_at', floor(extract(epoch FROM run.at) * 1000)
    )
  FROM run
  UNION ALL
  SELECT
    2, n, 'contacts', key,
    jsonb_build_object(
      'supabaseId', id,
      'workspace_id', 'ref:workspaces:' || workspace_id,
      'phone', phone,
      'name', name,
      'email', email,
      'lead_score', coalesce(lead_score, 0),
      'lead_status', coalesce(lead_status, 'new'),
      'tags', tags,
      'metadata', metadata,
      'created_at', floor(extract(epoch FROM coalesce(created_at, run.at)) * 1000),
      'updated_at', floor(extract(epoch FROM coalesce(updated_at, run.at)) * 1000),
      'assigned_to', assigned_to,
      'kapso_name', kapso_name,
      'cache_updated_at', floor(extract(epoch FROM cache_updated_at) * 1000),
      'phone_normalized', phone_normalized
    )
  FROM made_contacts, run
  UNION ALL
  SELECT
    3, n, 'ariConversations', id::text,
    jsonb_build_object(
      'supabaseId', id,
      'workspace_id', 'ref:workspaces:' || workspace_id,
      'contact_id', 'ref:contacts:' || contact_id,
      'state', coalesce(state, 'greeting'),
      'lead_score', coalesce(lead_score, 0),
      'lead_temperature', lead_temperature,
      'context', context,
      'ai_model', ai_model,
      'last_ai_message_at', floor(extract(epoch FROM last_ai_message_at) * 1000),
      'handoff_at', floor(extract(epoch FROM handoff_at) * 1000),
      'handoff_reason', handoff_reason,
      'created_at', floor(extract(epoch FROM coalesce(created_at, run.at)) * 1000),
      'updated_at', floor(extract(epoch FROM coalesce(updated_at, run.at)) * 1000)
    )
  FROM made_conversations, run
  UNION ALL
  SELECT
    4, n, 'organizations', key,
    jsonb_build_object(
      -- The same ids as in .planning/migrations/workspace-org-mapping.json.
      'clerk_org_id', 'org_' || left(md5('organizations:' || n), 27),
      'workspace_id', CASE n
        WHEN 4 THEN NULL
        WHEN 8 THEN 'ref:workspaces:made-in-convex'
        ELSE 'ref:workspaces:' || key
      END,
      'name', name,
      'slug', 'org-' || slug,
      'created_at', floor(extract(epoch FROM run.at) * 1000),
      'updated_at', floor(extract(epoch FROM run.at) * 1000)
    )
  FROM made_workspaces, run
  WHERE n NOT IN (7, 10)
)
SELECT
  row_number() OVER (ORDER BY place, number, key)::integer AS ord,
  jsonb_build_object(
    'table', "table",
    'key', key,
    -- A field without a value is absent in Convex; a null within a value stays.
    'document', (
      SELECT jsonb_object_agg(field.key, field.value)
      FROM jsonb_each(document) field
      WHERE field.value <> 'null'
    )
  )::text AS line
FROM documents
ORDER BY ord
