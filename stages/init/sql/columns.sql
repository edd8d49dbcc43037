-- What extract's catalog does not have: a column's default, enum labels, type of array items. One
-- row per column. A domain is resolved to its base type, an array to the type of its items.
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
    a.attnum::int4 AS number,
    format_type(a.atttypid, a.atttypmod)::text AS declared,
    pg_get_expr(d.adbin, d.adrelid)::text AS default_text,
    a.attidentity <> '' OR a.attgenerated <> '' AS generated,
    i.typname::text AS item,
    (
        SELECT json_agg(e.enumlabel::text ORDER BY e.enumsortorder)::text
        FROM pg_enum e WHERE e.enumtypid = coalesce(i.oid, t.oid)
    ) AS labels
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN base b ON b.oid = a.atttypid AND b.typtype <> 'd'
JOIN pg_type t ON t.oid = b.base_oid
LEFT JOIN base ib ON ib.oid = t.typelem AND ib.typtype <> 'd' AND t.typcategory = 'A'
LEFT JOIN pg_type i ON i.oid = ib.base_oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT c.relispartition
  AND n.nspname IN ({schemas})
ORDER BY 1, 2, a.attnum
