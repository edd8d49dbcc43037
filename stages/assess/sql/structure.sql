-- What else Postgres does by itself, in the shape of a Behaviour: extensions, sequences, generated
-- columns, partitions, inheritance, foreign tables, policies on stored files.
SELECT 'extension' AS kind, '' AS "table", e.extname::text AS name, e.extversion::text AS definition
FROM pg_extension e
WHERE e.extname <> 'plpgsql'
UNION ALL
SELECT 'sequence', coalesce(tn.nspname || '.' || t.relname, ''),
    coalesce(a.attname, c.relname)::text, ''
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE c.relkind = 'S' AND n.nspname IN ({schemas})
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'generated column', n.nspname || '.' || c.relname, a.attname::text,
    pg_get_expr(x.adbin, x.adrelid)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND NOT c.relispartition
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef x ON x.adrelid = a.attrelid AND x.adnum = a.attnum
WHERE a.attgenerated <> '' AND NOT a.attisdropped AND n.nspname IN ({schemas})
UNION ALL
SELECT 'partition', pn.nspname || '.' || p.relname, c.relname::text, ''
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition AND c.relkind IN ('r', 'p', 'f')
JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE pn.nspname IN ({schemas})
UNION ALL
SELECT 'inheritance', pn.nspname || '.' || p.relname, c.relname::text, ''
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition AND c.relkind IN ('r', 'f')
JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE pn.nspname IN ({schemas})
UNION ALL
SELECT 'foreign table', n.nspname || '.' || c.relname, c.relname::text, ''
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'f' AND n.nspname IN ({schemas})
UNION ALL
SELECT 'file policy', '', p.polname::text, ''
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'storage' AND c.relname IN ('objects', 'buckets')
ORDER BY 1, 2, 3
