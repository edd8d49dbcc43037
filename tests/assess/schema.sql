-- A hundred tables: eighty plain ones, and whatever an assessment must tell apart. A `canary` is in
-- every kind of value, and must be in no output.
DO $$
BEGIN
  FOR n IN 1..76 LOOP
    EXECUTE format('CREATE TABLE plain_%s (id uuid PRIMARY KEY, title text, made timestamptz)', n);
    EXECUTE format(
      'INSERT INTO plain_%s SELECT md5(i::text)::uuid, ''canary '' || i, ''2024-01-01'' '
      'FROM generate_series(1, 3) i', n);
  END LOOP;
END $$;

-- ── what documents can't hold ───────────────────────────────────────────────────────────────
CREATE TABLE some_large (id int PRIMARY KEY, body text);
INSERT INTO some_large SELECT i, repeat('canary ', CASE i WHEN 1 THEN 170000 WHEN 2 THEN 90000 ELSE 1 END)
FROM generate_series(1, 9) i;
CREATE TABLE all_large (id int PRIMARY KEY, body text);
INSERT INTO all_large SELECT i, repeat('canary ', 170000) FROM generate_series(1, 2) i;
CREATE TABLE long_lists (id int PRIMARY KEY, list int[], prices numeric[], numbers bigint[]);
INSERT INTO long_lists VALUES
  (1, (SELECT array_agg(i) FROM generate_series(1, 9000) i), '{1.5}', '{1}'),
  (2, '{}', '{0.12345678901234567890}', '{9007199254740993}'), (3, NULL, NULL, NULL);
CREATE TABLE json_values (id int PRIMARY KEY, j jsonb, text_json json);
INSERT INTO json_values VALUES
  (1, '{"$canary": 1}', '{"a": {"_b": 1}}'), (2, '{"é": [1]}', '{"a": 1}'), (3, '[{"": 1}]', NULL),
  (4, (repeat('[', 20) || repeat(']', 20))::jsonb, '1e400'), (5, '{"n": 0.12345678901234567890}', '1'),
  (6, (SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 1100) i), 'null'),
  (7, (SELECT jsonb_agg(i) FROM generate_series(1, 9000) i), '"canary"'),
  (8, '{"fine": {"deep": [1, 2.5, -0.1, 1e21]}}', NULL);
CREATE TABLE numbers (id bigint PRIMARY KEY, large bigint, price numeric, odd numeric, ratio float8);
INSERT INTO numbers VALUES
  (1, 9007199254740993, 12.50, 'NaN', 'NaN'), (2, -9223372036854775808, 0.1, 'Infinity', 'Infinity'),
  (3, 9007199254740992, 1e-400, 1e400, 0.1), (4, NULL, 9007199254740993.5, -1, NULL);
CREATE TABLE moments (id int PRIMARY KEY, day date, at timestamptz, plain timestamp);
INSERT INTO moments VALUES (1, 'infinity', '-infinity', '2024-01-01'), (2, '0044-03-15 BC', '2024-01-01',
  '0001-01-01 00:00:00 BC'), (3, '2024-02-29', '2024-01-01', NULL);
DO $$
BEGIN
  EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg('c' || i || ' int', ', ') FROM generate_series(1, 1100) i) || ')';
END $$;

-- ── keys and references ─────────────────────────────────────────────────────────────────────
CREATE TABLE keyless (word text);
INSERT INTO keyless VALUES ('canary'), ('canary');
CREATE TABLE users (id uuid PRIMARY KEY, email text, password_hash text, api_key text, token_count int);
INSERT INTO users SELECT md5(i::text)::uuid, 'canary@x', '$2a$10$canary', 'canary', 1
FROM generate_series(1, 20) i;
CREATE TABLE customers (id int PRIMARY KEY, slug text UNIQUE, nick text);
INSERT INTO customers SELECT i, 'canary-' || i, '' FROM generate_series(1, 20) i;
CREATE TABLE invoices (
  id int PRIMARY KEY, customer_id int, customer_slug text, created_by uuid, label_ids int[], external_id text,
  promo_id int
);
INSERT INTO invoices SELECT i, i + 3, 'canary-' || i, md5(i::text)::uuid, ARRAY[i, 1], 'canary-x' || i, 900 + i
FROM generate_series(1, 20) i;
CREATE TABLE labels (id int PRIMARY KEY);
INSERT INTO labels SELECT i FROM generate_series(1, 20) i;
CREATE TABLE promos (id int PRIMARY KEY);
INSERT INTO promos VALUES (1);
CREATE TABLE visits (id int PRIMARY KEY, customer int);
INSERT INTO visits VALUES (1, 1), (2, 77), (3, 77), (4, NULL);
ALTER TABLE visits ADD FOREIGN KEY (customer) REFERENCES customers ON DELETE CASCADE NOT VALID;
CREATE TABLE hens (id int PRIMARY KEY, egg int NOT NULL);
CREATE TABLE eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES hens DEFERRABLE);
ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs DEFERRABLE;
CREATE TABLE nodes (id int PRIMARY KEY, root int NOT NULL REFERENCES nodes, parent int REFERENCES nodes);
INSERT INTO nodes VALUES (1, 1, NULL), (2, 1, 1);

-- ── what Postgres does by itself ────────────────────────────────────────────────────────────
CREATE TABLE logs (id int, day date, words text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE logs_2024 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE logs_2025 PARTITION OF logs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO logs SELECT i, date '2024-12-01' + i, 'canary' FROM generate_series(1, 60) i;
CREATE TABLE animals (id int PRIMARY KEY);
CREATE TABLE dogs (breed text) INHERITS (animals);
INSERT INTO animals VALUES (1);
INSERT INTO dogs VALUES (2, 'canary'), (3, 'canary');
CREATE TABLE ruled (
  id int PRIMARY KEY, kind text CHECK (kind IN ('a', 'b')), amount int CHECK (amount > 0), twice int
  GENERATED ALWAYS AS (amount * 2) STORED, during int4range, name text, EXCLUDE USING gist (during WITH &&)
);
CREATE UNIQUE INDEX ruled_name ON ruled (lower(name)) WHERE amount > 5;
CREATE INDEX ruled_amount ON ruled (amount);
ALTER TABLE ruled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ruled USING (name = current_user);
CREATE POLICY others ON ruled FOR INSERT WITH CHECK (amount > 1);
CREATE SCHEMA supabase_functions;
CREATE FUNCTION supabase_functions.http_request() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON ruled FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER hook AFTER INSERT ON ruled FOR EACH ROW
  EXECUTE FUNCTION supabase_functions.http_request('https://canary.example', 'POST');
CREATE TABLE pages (
  id serial PRIMARY KEY, body text, embedding extensions.vector(3),
  search tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(body, ''))) STORED, facts jsonb
);
INSERT INTO pages (body, embedding, facts) VALUES ('canary', '[1,2,3]', '{}');
CREATE INDEX pages_search ON pages USING gin (search);
CREATE INDEX pages_facts ON pages USING gin (facts);
CREATE INDEX pages_embedding ON pages USING hnsw (embedding extensions.vector_l2_ops);
CREATE VIEW few AS SELECT id FROM pages;
CREATE MATERIALIZED VIEW fewer AS SELECT id FROM pages;
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid int, jobname text, schedule text, command text);
INSERT INTO cron.job VALUES (1, 'nightly', '0 3 * * *', 'SELECT 1');
CREATE PUBLICATION supabase_realtime FOR TABLE pages, labels;

-- ── statistics, rights ──────────────────────────────────────────────────────────────────────
-- Its last row is in the planner's sample, and not in ours.
CREATE TABLE many (id int PRIMARY KEY, word text, n bigint, day date, list int[], nothing text)
  WITH (autovacuum_enabled = false);
INSERT INTO many SELECT i, repeat('canary ', 100), i, date '2000-01-01' + i, ARRAY[i] FROM generate_series(1, 7999) i;
INSERT INTO many SELECT 8000, 'canary', 9007199254740993, 'infinity', array_agg(i) FROM generate_series(1, 9000) i;
ANALYZE;
-- Nobody has counted its rows.
CREATE TABLE uncounted (id int PRIMARY KEY, word text) WITH (autovacuum_enabled = false);
CREATE TABLE never_analyzed (id int PRIMARY KEY, word text) WITH (autovacuum_enabled = false);
INSERT INTO never_analyzed VALUES (1, 'canary');
INSERT INTO uncounted SELECT i, repeat('canary ', 100) FROM generate_series(1, 9000) i;

-- ── users and files ─────────────────────────────────────────────────────────────────────────
CREATE SCHEMA auth;
CREATE TABLE auth.users (
  id uuid PRIMARY KEY, aud varchar(255), role varchar(255), email varchar(255),
  encrypted_password varchar(255), email_confirmed_at timestamptz, phone_confirmed_at timestamptz,
  last_sign_in_at timestamptz, raw_app_meta_data jsonb, raw_user_meta_data jsonb,
  created_at timestamptz, updated_at timestamptz, phone text, banned_until timestamptz,
  deleted_at timestamptz, is_sso_user boolean NOT NULL DEFAULT false,
  is_anonymous boolean NOT NULL DEFAULT false
);
INSERT INTO auth.users (id, email, encrypted_password, email_confirmed_at, banned_until, deleted_at,
  is_sso_user, is_anonymous, raw_app_meta_data, created_at)
SELECT md5(i::text)::uuid, email, password, CASE WHEN i < 5 THEN now() END,
  CASE WHEN i = 2 THEN now() + interval '1 year' WHEN i = 3 THEN now() - interval '1 year' END,
  CASE WHEN i = 7 THEN now() END, i = 6, i = 8,
  jsonb_build_object('providers', CASE WHEN i < 5 THEN '["email", "google"]' ELSE '["email"]' END::jsonb),
  'epoch'
FROM (VALUES
  (1, 'canary@x', '$2a$10$canary'), (2, 'b@x', '$2b$10$canary'), (3, 'c@x', '$2y$10$canary'),
  (4, 'd@x', '$argon2id$v=19$canary'), (5, 'e@x', '$fbscrypt$v=1$canary'),
  (6, 'Canary@X', '{"key_id": "canary"}'), (7, 'f@x', 'canary'), (8, NULL, ''), (9, '', NULL)
) u (i, email, password);
CREATE TABLE auth.identities (
  id uuid PRIMARY KEY, provider_id text, user_id uuid REFERENCES auth.users, identity_data jsonb,
  provider text, last_sign_in_at timestamptz, created_at timestamptz, updated_at timestamptz, email text
);
INSERT INTO auth.identities (id, user_id, provider_id, provider)
SELECT md5(provider || i)::uuid, md5(i::text)::uuid, 'canary' || i, provider
FROM generate_series(1, 4) i, unnest(ARRAY['email', 'google']) provider WHERE i < 4 OR provider = 'email';
CREATE TABLE auth.mfa_factors (id uuid PRIMARY KEY, user_id uuid, status text, secret text);
INSERT INTO auth.mfa_factors VALUES
  (md5('1')::uuid, md5('1')::uuid, 'verified', 'canary'), (md5('2')::uuid, md5('1')::uuid, 'verified', 'canary'),
  (md5('3')::uuid, md5('2')::uuid, 'unverified', 'canary');
GRANT USAGE ON SCHEMA auth TO supabase_auth_admin;
GRANT SELECT ON auth.users, auth.identities TO supabase_auth_admin;
CREATE SCHEMA storage;
CREATE TABLE storage.buckets (id text PRIMARY KEY, public boolean);
INSERT INTO storage.buckets VALUES ('avatars', true), ('empty', false), ('invoices', false);
CREATE TABLE storage.objects (id int PRIMARY KEY, bucket_id text, name text, metadata jsonb);
INSERT INTO storage.objects VALUES
  (1, 'avatars', 'canary.png', '{"size": 300}'), (2, 'avatars', 'b.png', '{"size": "700"}'),
  (3, 'invoices', 'canary.pdf', NULL), (4, 'invoices', 'x/.emptyFolderPlaceholder', '{"size": 0}');
ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
CREATE POLICY files ON storage.objects USING (true)
