-- The tables of Auth and Storage that exist and may be read, with their columns and the planner's
-- count of their rows.
SELECT n.nspname || '.' || c.relname AS name, c.reltuples::int8 AS "rows",
    pg_relation_size(c.oid)::int8 AS heap,
    json_agg(a.attname::text)::text AS columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE (n.nspname, c.relname) IN (
        ('auth', 'users'), ('auth', 'identities'), ('auth', 'mfa_factors'),
        ('storage', 'buckets'), ('storage', 'objects')
    )
  AND c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT')
  AND has_schema_privilege(n.oid, 'USAGE')
GROUP BY n.nspname, c.relname, c.oid, c.reltuples
