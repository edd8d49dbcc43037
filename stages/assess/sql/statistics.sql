-- What the planner knows about columns, one row each: facts about their values, but no value.
-- For a partitioned table all partitions together; for one with children by INHERITS its own rows.
WITH known AS (
    SELECT s.schemaname::text AS table_schema, s.tablename::text AS table_name,
        s.attname::text AS column_name, s.null_frac, s.avg_width, s.elem_count_histogram,
        -- A domain counts as its base type.
        coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text AS base,
        coalesce(s.histogram_bounds::text, '{{}}') AS bounds,
        coalesce(s.most_common_vals::text, '{{}}') AS common
    FROM pg_stats s
    JOIN pg_namespace n ON n.nspname = s.schemaname
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE s.schemaname IN ({schemas}) AND s.inherited = (c.relkind = 'p')
)
SELECT table_schema, table_name, column_name, null_frac::float8 AS null_fraction,
    avg_width::int8 AS average,
    CASE WHEN base = 'bigint' THEN EXISTS (
        SELECT FROM unnest(bounds::int8[] || common::int8[]) v WHERE v NOT BETWEEN -{exact} AND {exact}
    ) ELSE false END AS beyond,
    base IN ('date', 'timestamp with time zone', 'timestamp without time zone')
        AND (bounds LIKE '%infinity%' OR common LIKE '%infinity%') AS infinite,
    base IN ('date', 'timestamp with time zone', 'timestamp without time zone')
        AND (bounds LIKE '% BC%' OR common LIKE '% BC%') AS before_christ,
    -- The last number is the average; the one before it is the most distinct items of an array.
    coalesce(elem_count_histogram[array_upper(elem_count_histogram, 1) - 1], 0)::int8 AS items
FROM known
ORDER BY 1, 2, 3
