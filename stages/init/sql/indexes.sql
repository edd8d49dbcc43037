-- Indexes with their columns in order; `columns` is null if one of them is an expression.
SELECT
    n.nspname::text AS table_schema,
    c.relname::text AS table_name,
    x.relname::text AS name,
    i.indisunique AS is_unique,
    i.indisprimary AS is_primary,
    EXISTS (
        SELECT FROM pg_constraint k
        WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    ) AS of_constraint,
    i.indpred IS NOT NULL AS partial,
    am.amname::text AS method,
    CASE WHEN NOT 0 = ANY (i.indkey::int2[]) THEN (
        SELECT json_agg(a.attname::text ORDER BY u.place)::text
        FROM unnest((i.indkey::int2[])[:i.indnkeyatts - 1]) WITH ORDINALITY AS u (number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
    ) END AS columns,
    pg_get_indexdef(i.indexrelid)::text AS definition
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am am ON am.oid = x.relam
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
  AND n.nspname IN ({schemas})
ORDER BY 1, 2, 3
