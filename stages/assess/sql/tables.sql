-- Tables with their sizes and counters, one row each. For a partitioned table those of its
-- partitions are added up; children by INHERITS are tables of their own. `rows` is the planner's
-- estimate. The SQL for the sizes of `p` is filled in: measured, or the planner's pages, which cost
-- nothing.
WITH RECURSIVE tree (top, oid) AS (
    SELECT c.oid, c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f', 'm', 'v') AND NOT c.relispartition
      AND n.nspname IN ({schemas})
    UNION
    SELECT t.top, i.inhrelid
    FROM tree t
    JOIN pg_inherits i ON i.inhparent = t.oid
    JOIN pg_class p ON p.oid = t.oid AND p.relkind = 'p'
), added AS (
    SELECT t.top,
        sum(CASE WHEN p.reltuples >= 0 THEN p.reltuples ELSE 0 END)
            FILTER (WHERE p.relkind <> 'p')::int8 AS "rows",
        bool_or(p.reltuples < 0) FILTER (WHERE p.relkind <> 'p') AS never_counted,
        sum({heap}) FILTER (WHERE p.relkind IN ('r', 'm'))::int8 AS heap,
        sum({bytes}) FILTER (WHERE p.relkind IN ('r', 'm'))::int8 AS bytes,
        sum({index_bytes}) FILTER (WHERE p.relkind IN ('r', 'm'))::int8 AS index_bytes,
        bool_and(s.last_analyze IS NOT NULL OR s.last_autoanalyze IS NOT NULL) AS analyzed,
        sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::int8 AS writes
    FROM tree t
    JOIN pg_class p ON p.oid = t.oid
    LEFT JOIN pg_stat_user_tables s ON s.relid = p.oid AND p.relkind IN ('r', 'm')
    GROUP BY t.top
)
SELECT
    n.nspname::text AS table_schema, c.relname::text AS table_name, c.relkind::text AS kind,
    coalesce(a."rows", 0)::int8 AS "rows", coalesce(a.never_counted, true) AS never_counted,
    a.heap, a.bytes,
    a.index_bytes,
    coalesce(a.analyzed, false) AS analyzed, coalesce(a.writes, -1)::int8 AS writes,
    has_any_column_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
        AND NOT row_security_active(c.oid) AS readable
FROM added a
JOIN pg_class c ON c.oid = a.top
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 2
