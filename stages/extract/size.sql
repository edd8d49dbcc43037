-- Rows by the planner's statistics (-1: never analysed), and bytes with TOAST, of one relation.
-- A partitioned parent has neither: its partitions are added up, and so are INHERITS children if
-- their rows are read with it.
WITH RECURSIVE tree (relid) AS (
    SELECT {relation}::regclass::oid
    UNION
    SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.relid WHERE {with_children}
)
SELECT
    coalesce(sum(CASE WHEN c.relkind <> 'p' THEN c.reltuples END), -1)::int8 AS "rows",
    bool_or(c.relkind <> 'p' AND c.reltuples < 0) AS unknown,
    coalesce(sum(CASE WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid) END), 0)::int8 AS bytes
FROM tree t
JOIN pg_class c ON c.oid = t.relid
