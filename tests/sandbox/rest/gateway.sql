-- What the tests of the REST stand-in read: every kind of key, name, type and right.
CREATE ROLE anon NOLOGIN;
CREATE ROLE authenticated NOLOGIN;
CREATE ROLE service_role NOLOGIN BYPASSRLS;
CREATE ROLE supabase_auth_admin NOLOGIN;
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT anon, authenticated, service_role, supabase_auth_admin TO authenticator;
ALTER ROLE authenticator SET statement_timeout = '8s';
ALTER ROLE anon SET statement_timeout = '300ms';
CREATE SCHEMA other;
CREATE SCHEMA auth;

CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE people (
  id uuid PRIMARY KEY,
  name varchar(40) NOT NULL DEFAULT 'nobody',
  mood mood DEFAULT 'sad',
  born timestamptz,
  tags text[]
);
COMMENT ON TABLE people IS 'Who they are';
INSERT INTO people
SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, 'person ' || i,
  CASE WHEN i % 2 = 0 THEN 'happy'::mood END,
  '2024-01-01 00:00:00.123456+00'::timestamptz + i * interval '1 day', ARRAY['a', NULL, 'b,c']
FROM generate_series(1, 5) i;
CREATE TABLE numbers (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  small smallint,
  person uuid REFERENCES people,
  price numeric(10, 2) DEFAULT 1.5,
  free boolean NOT NULL DEFAULT false,
  extra jsonb,
  count positive
);
INSERT INTO numbers (small) SELECT i FROM generate_series(1, 2500) i;
CREATE TABLE pairs (
  a integer, b timestamptz, note text DEFAULT 'it''s', PRIMARY KEY (a, b)
);
INSERT INTO pairs SELECT i / 3, '2024-01-01T00:00:00Z'::timestamptz + i * interval '1 hour'
FROM generate_series(0, 8) i;
CREATE TABLE "odd 100% {name}" (
  "we.ird" text PRIMARY KEY, "order" integer, "select" integer, "and" integer, "say ""hi""" text
);
INSERT INTO "odd 100% {name}" VALUES
  ('a,b', 1, 10, 100, 'x'), ('c"d', 2, 20, 200, 'y'), ('e\f', 3, 30, 300, 'z'), ('(g)', 4, 40, 400, '%');
CREATE TABLE keyless (n integer);
INSERT INTO keyless SELECT i FROM generate_series(1, 500) i;
CREATE TABLE empty (id integer PRIMARY KEY);
CREATE TABLE guarded (id integer PRIMARY KEY);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
INSERT INTO guarded VALUES (1), (2);
CREATE TABLE parted (id integer) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO parted VALUES (1);
CREATE TABLE "we/ird" (id integer PRIMARY KEY);
INSERT INTO "we/ird" VALUES (1);
CREATE SCHEMA unexposed;
CREATE TABLE unexposed.parents (id integer PRIMARY KEY);
CREATE DOMAIN short AS varchar(7) DEFAULT 'none';
CREATE TABLE bits (
  id integer PRIMARY KEY, five bit(5), most varbit(9), word short,
  parent integer REFERENCES unexposed.parents
);
CREATE VIEW joined AS SELECT p.a, n.id AS number, p.b AS second FROM pairs p, numbers n;
CREATE VIEW half AS SELECT a FROM pairs;
CREATE VIEW slow AS SELECT pg_sleep(5)::text AS nap;
CREATE VIEW plain AS SELECT id, name FROM people;
CREATE VIEW sums AS SELECT count(*) FROM people;
CREATE VIEW claims AS SELECT current_setting('request.jwt.claims')::json ->> 'sub' AS sub,
  current_user::text AS role, current_setting('transaction_read_only') AS read_only;
CREATE TABLE types (
  id integer PRIMARY KEY, big bigint, num numeric, dbl float8, flag boolean, txt text, ch char(3),
  day date, at time, stamp timestamp, stamptz timestamptz, span interval, doc json, bin bytea,
  bits bit(3), net inet, spans int4range, cash money, matrix integer[][], mood mood
);
INSERT INTO types VALUES (
  1, 9223372036854775807, 12345678901234567890.10, 0.30000000000000004, true, 'é😀', 'a',
  '0044-03-15 BC', '24:00', '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56.120000+00',
  '1 year 2 mons', '{"a": 1E5, "a": 2}', '\x00ff', '101', '192.168.1.5/24', '[1,10)', 1234.5,
  '{{1,2},{3,NULL}}', 'happy'
), (2, NULL, 'NaN', '-Infinity', NULL, '', NULL, 'infinity', NULL, '-infinity', 'infinity', NULL,
  'null', NULL, NULL, NULL, 'empty', NULL, '{}', NULL);
CREATE TABLE other.things (id integer PRIMARY KEY);
INSERT INTO other.things VALUES (7);
CREATE TABLE auth.users (
  id uuid PRIMARY KEY, email text, phone text, encrypted_password text, raw_user_meta_data jsonb,
  raw_app_meta_data jsonb, created_at timestamptz, updated_at timestamptz
);
INSERT INTO auth.users
SELECT ('10000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, i || '@example.com', NULL,
  'hash', '{"name": "N"}', NULL, '2024-01-01Z'::timestamptz + i * interval '1 day', now()
FROM generate_series(1, 3) i;
CREATE TABLE auth.identities (
  id uuid PRIMARY KEY, provider_id text, user_id uuid, identity_data jsonb, provider text,
  last_sign_in_at timestamptz, created_at timestamptz, updated_at timestamptz, email text
);
INSERT INTO auth.identities
SELECT ('20000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, 'sub' || i,
  '10000000-0000-0000-0000-000000000001', CASE WHEN i = 1 THEN '{"sub": "sub1"}' ELSE '{}' END::jsonb,
  'p' || i, NULL, '2024-01-01Z'::timestamptz + i * interval '1 day', now(), ''
FROM generate_series(1, 2) i;

GRANT USAGE ON SCHEMA public, other TO anon, authenticated, service_role;
GRANT SELECT ON ALL TABLES IN SCHEMA public, other TO anon, authenticated, service_role;
GRANT USAGE ON SCHEMA auth TO supabase_auth_admin;
GRANT SELECT ON auth.users, auth.identities TO supabase_auth_admin;
CREATE TABLE ungranted (id integer PRIMARY KEY);
ANALYZE;
