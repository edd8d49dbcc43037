-- Tables of other shapes: a wide one, a hundred small ones, and one of large documents.
-- Run by psql after table.sql, with the variables `wide` and `documents`, both in rows.
\set ON_ERROR_STOP on
SET ROLE postgres;
SET client_min_messages = error;

-- 300 columns of five types in turn.
SELECT format(
  'CREATE UNLOGGED TABLE bench.wide AS SELECT i AS id, %s FROM generate_series(1::bigint, %s) i',
  string_agg(
    format(
      (ARRAY [
        '(i * %s %% 65537)::int', 'left(md5((i + %s)::text), 8)', '(i %% %s)::float8',
        'timestamptz ''2024-01-01 00:00+00'' + i * %s * interval ''1 second''', 'i %% %s = 0'
      ]) [1 + n % 5] || ' AS c%s', n + 1, n
    ), ', ' ORDER BY n
  ),
  :wide
)
FROM generate_series(1, 299) n
\gexec
ALTER TABLE bench.wide ADD PRIMARY KEY (id);

SELECT format(
  'CREATE UNLOGGED TABLE bench.small_%s AS '
  'SELECT i AS id, md5(i::text) AS name, now() AS at FROM generate_series(1::bigint, 10) i; '
  'ALTER TABLE bench.small_%1$s ADD PRIMARY KEY (id)', n
)
FROM generate_series(1, 100) n
\gexec

-- 1 MiB a document, as uncompressible as hexadecimal is, and stored so.
CREATE UNLOGGED TABLE bench.documents (id bigint PRIMARY KEY, document jsonb);
ALTER TABLE bench.documents ALTER document SET STORAGE EXTERNAL;
WITH text AS MATERIALIZED (
  SELECT string_agg(md5(n::text), '') AS t FROM generate_series(1, (1 << 20) / 32) n
)
INSERT INTO bench.documents
SELECT i, jsonb_build_object('id', i, 'text', substr(t, i::int * 97) || left(t, i::int * 97))
FROM text, generate_series(1, :documents::bigint) i;
VACUUM (ANALYZE);
