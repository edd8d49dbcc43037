-- Foreign keys, one row per column: which table refers to which, by which columns. Those of
-- partitions are left out, since they repeat their parent's.
SELECT
    c.oid::int8 AS id,
    cn.nspname::text AS child_schema, cc.relname::text AS child_name, ca.attname::text AS child_column,
    pn.nspname::text AS parent_schema, pc.relname::text AS parent_name,
    pa.attname::text AS parent_column
FROM pg_constraint c
CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (child, parent, position)
JOIN pg_class cc ON cc.oid = c.conrelid
JOIN pg_namespace cn ON cn.oid = cc.relnamespace
JOIN pg_attribute ca ON ca.attrelid = cc.oid AND ca.attnum = k.child
JOIN pg_class pc ON pc.oid = c.confrelid
JOIN pg_namespace pn ON pn.oid = pc.relnamespace
JOIN pg_attribute pa ON pa.attrelid = pc.oid AND pa.attnum = k.parent
WHERE c.contype = 'f' AND c.conparentid = 0
ORDER BY c.oid, k.position
