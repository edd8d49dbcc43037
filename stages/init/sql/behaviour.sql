-- What Postgres does by itself: row security and its policies, triggers, functions, views,
-- publications. Functions and views that belong to an extension are left out.
SELECT
    'policy' AS kind, n.nspname || '.' || c.relname AS "table", p.polname::text AS name,
    concat_ws(
        ' ',
        CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
        'for',
        CASE p.polcmd
            WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
            WHEN 'd' THEN 'delete' ELSE 'all'
        END,
        'to',
        (
            SELECT string_agg(CASE WHEN r = 0 THEN 'public' ELSE r::regrole::text END, ', ')
            FROM unnest(p.polroles) r
        ),
        'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
        'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
    )::text AS definition
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ({schemas})
UNION ALL
SELECT 'row security', n.nspname || '.' || c.relname, 'row security is on', ''
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND n.nspname IN ({schemas})
UNION ALL
SELECT 'trigger', n.nspname || '.' || c.relname, t.tgname::text, pg_get_triggerdef(t.oid)
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc f ON f.oid = t.tgfoid
JOIN pg_namespace fn ON fn.oid = f.pronamespace
-- A trigger on another schema's table, such as auth.users, is the application's if its function is.
WHERE NOT t.tgisinternal AND (n.nspname IN ({schemas}) OR fn.nspname IN ({schemas}))
UNION ALL
SELECT 'function', '', f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')',
    pg_get_functiondef(f.oid)
FROM pg_proc f
JOIN pg_namespace n ON n.oid = f.pronamespace
WHERE f.prokind IN ('f', 'p') AND n.nspname IN ({schemas})
  AND NOT EXISTS (
      SELECT FROM pg_depend e WHERE e.objid = f.oid AND e.classid = 'pg_proc'::regclass
        AND e.deptype = 'e'
  )
UNION ALL
SELECT 'view', n.nspname || '.' || c.relname, c.relname::text, pg_get_viewdef(c.oid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname IN ({schemas})
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'publication', p.schemaname || '.' || p.tablename, p.pubname::text,
    -- As JSON, since older servers do not have that column.
    coalesce('where ' || (to_jsonb(p) ->> 'rowfilter'), '')
FROM pg_publication_tables p
WHERE p.schemaname IN ({schemas})
ORDER BY 1, 2, 3
