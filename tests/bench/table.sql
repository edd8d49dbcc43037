-- The benchmark's table: 12 columns, about 400 bytes a row. Every value comes of the row's number: no
-- chance, no clock. Run by psql with the variables `name`, `rows`, and `key`: `id`, whose order is
-- that of the rows on the disk, or `uid`, whose order is none.
\set ON_ERROR_STOP on
SET ROLE postgres;
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS bench;
GRANT USAGE ON SCHEMA bench TO service_role;

CREATE UNLOGGED TABLE bench.:"name" (
  id bigint NOT NULL,
  uid uuid NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz,
  code text NOT NULL,
  body text,
  payload jsonb,
  amount numeric(12, 2),
  quantity int,
  score float8,
  active boolean,
  tags text[]
);
INSERT INTO bench.:"name"
SELECT
  i,
  md5('uid' || i)::uuid,
  timestamptz '2020-01-01 00:00:00+00' + i * interval '61.000123 seconds',
  CASE WHEN i % 7 > 0 THEN timestamptz '2024-01-01 00:00:00+00' + i * interval '17.5 seconds' END,
  left(md5('code' || i), 10),
  left(h || md5('body' || i) || md5('more' || i) || h, 100),
  jsonb_build_object(
    'kind', (ARRAY ['note', 'call', 'visit'])[1 + i % 3], 'number', i % 100000, 'hash', h,
    'nested', jsonb_build_object('ok', i % 2 = 0, 'words', left(h, 8) || ' ' || left(h, 6))
  ),
  (i * 7919 % 100000000) / 100.0,
  i % 10007,
  sqrt(i::float8),
  i % 3 = 0,
  ARRAY ['t' || i % 50, left(h, 4), 'x']
FROM generate_series(1, :rows::bigint) i, LATERAL (SELECT md5(i::text) AS h) m;
ALTER TABLE bench.:"name" ADD PRIMARY KEY (:"key");
GRANT SELECT ON bench.:"name" TO service_role;
VACUUM (ANALYZE) bench.:"name";
