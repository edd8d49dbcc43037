-- Table constraints: primary and foreign keys, unique, check, exclusion. Columns in their order. A
-- CHECK of a column's domain counts too, without columns if it applies to an array's items.
WITH RECURSIVE types AS (
    SELECT a.attrelid, a.attname, a.atttypid AS type, false AS of_items
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped
      AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
      AND n.nspname IN ({schemas})
    UNION ALL
    SELECT
        u.attrelid, u.attname,
        CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END,
        u.of_items OR t.typtype <> 'd'
    FROM types u
    JOIN pg_type t ON t.oid = u.type
    WHERE t.typtype = 'd' OR t.typcategory = 'A'
)
SELECT
    n.nspname::text AS table_schema,
    c.relname::text AS table_name,
    k.conname::text AS name,
    k.contype::text AS kind,
    (
        SELECT json_agg(a.attname::text ORDER BY u.place)::text
        FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
    ) AS columns,
    pn.nspname::text AS parent_schema,
    pc.relname::text AS parent_name,
    (
        SELECT json_agg(a.attname::text ORDER BY u.place)::text
        FROM unnest(k.confkey) WITH ORDINALITY AS u (number, place)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number
    ) AS parent_columns,
    k.confdeltype::text AS on_delete,
    pg_get_constraintdef(k.oid)::text AS definition
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class pc ON pc.oid = k.confrelid
LEFT JOIN pg_namespace pn ON pn.oid = pc.relnamespace
WHERE k.contype IN ('p', 'f', 'u', 'c', 'x') AND k.conparentid = 0
  AND NOT c.relispartition
  AND n.nspname IN ({schemas})
UNION ALL
SELECT
    n.nspname::text, c.relname::text,
    format('%s: %s of the domain %s', u.attname, k.conname, format_type(k.contypid, NULL)),
    'c', CASE WHEN u.of_items THEN '[]' ELSE json_build_array(u.attname)::text END,
    NULL, NULL, NULL, ' ', pg_get_constraintdef(k.oid)::text
FROM pg_constraint k
JOIN types u ON u.type = k.contypid
JOIN pg_class c ON c.oid = u.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'c'
ORDER BY 1, 2, 4, 3
