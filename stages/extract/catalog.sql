-- Tables, views and foreign tables of every schema except Postgres' own, one row per column. From
-- pg_catalog, since information_schema hides what the role may not access. A domain is returned as
-- its base type, as over REST. Includes what rows depend on beyond their own versions: enum labels,
-- definitions of views (with the views below them), partitions and children of a table. Heirs are
-- children by INHERITS, at any depth: tables of their own, whose rows their parents return too.
WITH RECURSIVE base AS (
    SELECT t.oid, t.oid AS base_oid, t.typtype, t.typbasetype FROM pg_type t
    UNION ALL
    SELECT b.oid, t.oid, t.typtype, t.typbasetype
    FROM base b JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
), contains (part, whole) AS (
    SELECT typelem, oid FROM pg_type WHERE typelem <> 0
    UNION ALL SELECT typbasetype, oid FROM pg_type WHERE typtype = 'd'
    UNION ALL SELECT rngsubtype, rngtypid FROM pg_range
    UNION ALL
    SELECT a.atttypid, t.oid FROM pg_type t
    JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE t.typtype = 'c'
), holder (enum, oid) AS (
    SELECT oid, oid FROM pg_type WHERE typtype = 'e'
    UNION
    SELECT h.enum, w.whole FROM holder h JOIN contains w ON w.part = h.oid
), labelled AS (
    SELECT h.oid, json_agg(e.enumlabel ORDER BY e.enumtypid, e.enumsortorder)::text AS labels
    FROM holder h JOIN pg_enum e ON e.enumtypid = h.enum GROUP BY h.oid
), view_below (top, oid) AS (
    SELECT oid, oid FROM pg_class WHERE relkind = 'v'
    UNION
    SELECT v.top, d.refobjid
    FROM view_below v
    JOIN pg_rewrite r ON r.ev_class = v.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'
), viewed AS (
    -- The stored form: the text that Postgres prints depends on the search path.
    SELECT v.top, md5(string_agg(md5(r.ev_action::text), '' ORDER BY v.oid)) AS definition
    FROM view_below v JOIN pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'
    GROUP BY v.top
), child (top, oid) AS (
    SELECT inhparent, inhrelid FROM pg_inherits
    UNION
    SELECT p.top, i.inhrelid FROM child p JOIN pg_inherits i ON i.inhparent = p.oid
), divided AS (
    SELECT p.top, json_agg(p.oid::int8 ORDER BY p.oid)::text AS children,
        json_agg(json_build_array(n.nspname, c.relname) ORDER BY n.nspname, c.relname)
            FILTER (WHERE NOT c.relispartition)::text AS heirs,
        bool_or(c.relkind = 'f') AS has_foreign
    FROM child p JOIN pg_class c ON c.oid = p.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    GROUP BY p.top
)
SELECT
    n.nspname::text AS table_schema,
    c.relname::text AS table_name,
    a.attname::text AS column_name,
    CASE WHEN tn.nspname = 'pg_catalog' THEN t.typname::text
         ELSE tn.nspname || '.' || t.typname END AS type_name,
    a.attnotnull AS not_null,
    c.relkind IN ('v', 'f') OR coalesce(p.has_foreign, false) AS virtual,
    l.labels,
    v.definition,
    coalesce(p.children, '[]') AS children,
    coalesce(p.heirs, '[]') AS heirs,
    array_position((i.indkey::int2[])[:i.indnkeyatts - 1], a.attnum)::int4 AS key_position
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN base b ON b.oid = a.atttypid AND b.typtype <> 'd'
JOIN pg_type t ON t.oid = b.base_oid
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
LEFT JOIN labelled l ON l.oid = a.atttypid
LEFT JOIN viewed v ON v.top = c.oid
LEFT JOIN divided p ON p.top = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1, 2, a.attnum
