-- One row per relation on which the current role has any permission, for the OpenAPI document.
-- Parameters: the schema, and the exposed schemas. Run with an empty search_path, so that types of
-- extensions and users are named with their schema.
WITH RECURSIVE bases AS (
  SELECT oid, oid AS base, typbasetype AS below FROM pg_type
  UNION ALL
  SELECT b.oid, t.oid, t.typbasetype FROM bases b JOIN pg_type t ON t.oid = b.below
),
relations AS (
  SELECT c.oid, c.relname, c.relkind, obj_description(c.oid, 'pg_class') AS comment
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT c.relispartition
    AND (
      has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
      OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
    )
),
-- Columns of views that are columns of a table, from the rewritten query's target list.
view_columns AS MATERIALIZED (
  SELECT r.oid AS view, part[1]::int AS number, part[2]::oid AS base, part[3]::int AS base_number
  FROM relations r
  JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename = '_RETURN',
    regexp_matches(
      w.ev_action::text,
      ':resno (\d+) :resname (?:\\.|[^ \\])+ :ressortgroupref \d+ '
      ':resorigtbl (\d+) :resorigcol (\d+)',
      'g'
    ) part
),
-- The primary key of a table, if the view has all of its columns. Materialized, like what it is made
-- from: otherwise each column of a view would search its whole query again.
view_keys AS MATERIALIZED (
  SELECT DISTINCT ON (v.view) v.view, array_agg(v.number) AS numbers
  FROM view_columns v
  JOIN pg_constraint k ON k.conrelid = v.base AND k.contype = 'p'
    AND v.base_number = ANY (k.conkey)
  GROUP BY v.view, k.oid, k.conkey
  HAVING count(DISTINCT v.base_number) = cardinality(k.conkey)
  ORDER BY v.view, k.oid
),
columns AS (
  SELECT
    a.attrelid,
    json_agg(
      json_build_object(
        'name', a.attname,
        'type', CASE
          WHEN base.typnamespace = 'pg_catalog'::regnamespace THEN format_type(base.oid, NULL)
          ELSE format_type(a.atttypid, a.atttypmod)
        END,
        'required', a.attnotnull,
        'length', CASE
          WHEN base.oid IN ('varchar'::regtype, 'bpchar'::regtype) AND modifier > 4
          THEN modifier - 4
          WHEN base.oid IN ('bit'::regtype, 'varbit'::regtype) AND modifier > 0 THEN modifier
        END,
        'default', CASE
          WHEN a.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), own.typdefault)
        END,
        'comment', col_description(a.attrelid, a.attnum),
        'enum', (
          SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)
          FROM pg_enum e
          WHERE e.enumtypid = base.oid
        ),
        'primary', EXISTS (
          SELECT FROM pg_constraint k
          WHERE k.conrelid = a.attrelid AND k.contype = 'p' AND a.attnum = ANY (k.conkey)
        ) OR EXISTS (
          SELECT FROM view_keys v WHERE v.view = a.attrelid AND a.attnum = ANY (v.numbers)
        ),
        'foreign', (
          SELECT json_build_object('table', f.relname, 'column', fa.attname)
          FROM pg_constraint k
          JOIN pg_class f ON f.oid = k.confrelid
          JOIN pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = k.confkey[1]
          WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum]
            AND k.conparentid = 0
            AND EXISTS (
              SELECT FROM pg_namespace fn WHERE fn.oid = f.relnamespace AND fn.nspname = ANY ($2)
            )
          ORDER BY k.conname
          LIMIT 1
        )
      )
      ORDER BY a.attnum
    ) AS columns
  FROM relations r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN bases b ON b.oid = a.atttypid AND b.below = 0
  JOIN pg_type base ON base.oid = b.base
  JOIN pg_type own ON own.oid = a.atttypid
  CROSS JOIN LATERAL (
    SELECT CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE own.typtypmod END AS modifier
  ) modifiers
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  GROUP BY a.attrelid
)
SELECT
  r.relname AS name,
  r.comment,
  r.relkind IN ('r', 'p') OR pg_relation_is_updatable(r.oid::regclass, true) & 8 = 8 AS insertable,
  coalesce(c.columns, '[]') AS columns
FROM relations r
LEFT JOIN columns c ON c.attrelid = r.oid
-- PostgREST returns them in no particular order.
ORDER BY md5(r.relname)
