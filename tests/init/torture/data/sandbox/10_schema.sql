-- A source with everything that init must tell apart.
CREATE TYPE order_status AS ENUM ('pending', 'in_progress', 'shipped', 'lost');
CREATE TYPE mood AS ENUM ('so_far', 'good');
CREATE DOMAIN vector AS text; -- pgvector is not among these binaries for everyone
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');

CREATE TABLE profiles (
  id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  display_name text NOT NULL,
  mail email,
  role text NOT NULL DEFAULT 'member',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE categories (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  parent_id bigint REFERENCES categories (id) ON DELETE SET NULL,
  slug text NOT NULL UNIQUE,
  name text NOT NULL
);
CREATE TABLE products (
  sku text PRIMARY KEY,
  category_slug text REFERENCES categories (slug),
  price numeric(10, 2) NOT NULL,
  stock int8 NOT NULL DEFAULT 0,
  weight float4,
  status text DEFAULT 'draft' CHECK (status IN ('draft', 'live')),
  mood mood,
  tags text[] DEFAULT '{}',
  related_category_ids bigint[],
  attributes jsonb NOT NULL DEFAULT '{}',
  cost jsonb,
  embedding float8[],
  vector vector,
  photo bytea,
  photo_id text,
  launched date,
  opens time,
  "order" int,
  priority int CHECK (priority = ANY (ARRAY[1, 2, 3])),
  created_at timestamptz,
  internal_remark text
);
CREATE TABLE orders (
  tenant int NOT NULL,
  number bigint NOT NULL,
  status order_status NOT NULL DEFAULT 'pending',
  buyer_id uuid NOT NULL REFERENCES profiles (id),
  placed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, number)
);
CREATE TABLE order_items (
  line int NOT NULL,
  order_number bigint,
  tenant int NOT NULL,
  product_sku text NOT NULL REFERENCES products (sku) ON DELETE RESTRICT,
  quantity int NOT NULL DEFAULT 1 CHECK (quantity > 0),
  UNIQUE (tenant, order_number, line),
  PRIMARY KEY (tenant, line),
  FOREIGN KEY (tenant, order_number) REFERENCES orders (tenant, number) ON DELETE CASCADE
);
CREATE TABLE notes (body text NOT NULL, written timestamp);
CREATE TABLE events (id int PRIMARY KEY, kind text NOT NULL, at timestamptz NOT NULL, amount int);
CREATE TABLE blobs (id int PRIMARY KEY, content jsonb, "When" date);
CREATE TABLE comments (
  id int PRIMARY KEY, target_type text NOT NULL, target_id text NOT NULL, text text NOT NULL
);
CREATE TABLE subscriptions (
  id int PRIMARY KEY, plan_id int NOT NULL, profile_id uuid NOT NULL REFERENCES profiles (id)
);
CREATE TABLE members (
  id int PRIMARY KEY, user_id uuid NOT NULL UNIQUE REFERENCES auth.users (id), name text NOT NULL
);
CREATE TABLE reviews (
  id int PRIMARY KEY, author_id uuid NOT NULL REFERENCES auth.users (id), text text NOT NULL
);
CREATE TABLE leftovers (id int PRIMARY KEY);

CREATE INDEX products_by_status ON products (status, created_at DESC);
CREATE INDEX products_live ON products (sku) WHERE status = 'live';
CREATE INDEX profiles_by_name ON profiles (lower(display_name));

ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_profile ON profiles FOR SELECT TO authenticated USING (user_id = id);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END $$;
CREATE TRIGGER profiles_touch BEFORE UPDATE ON profiles FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW cheap_products AS SELECT sku FROM products WHERE price < 1;
CREATE PUBLICATION live FOR TABLE orders;
-- What pg_cron has; the extension is not among these binaries.
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint PRIMARY KEY, jobname text, schedule text, command text);
INSERT INTO cron.job VALUES (1, 'nightly', '0 3 * * *', 'DELETE FROM notes');
