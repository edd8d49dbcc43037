-- Tables, views and foreign tables of every schema that is not Postgres' own, a row a column.
-- pg_catalog, not information_schema, which hides what the role may not touch. A domain is given
-- as its base type, as REST gives it.
WITH RECURSIVE base AS (
    SELECT t.oid, t.oid AS base_oid, t.typtype, t.typbasetype FROM pg_type t
    UNION ALL
    SELECT b.oid, t.oid, t.typtype, t.typbasetype
    FROM base b JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
)
SELECT
    n.nspname::text AS table_schema,
    c.relname::text AS table_name,
    a.attname::text AS column_name,
    CASE WHEN tn.nspname = 'pg_catalog' THEN t.typname::text
         ELSE tn.nspname || '.' || t.typname END AS type_name,
    a.attnotnull AS not_null,
    c.relkind IN ('v', 'f') AS virtual,
    array_position((i.indkey::int2[])[:i.indnkeyatts - 1], a.attnum)::int4 AS key_position
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN base b ON b.oid = a.atttypid AND b.typtype <> 'd'
JOIN pg_type t ON t.oid = b.base_oid
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1, 2, a.attnum
