CREATE TYPE status AS ENUM ('open', 'in_progress', 'done');
CREATE TABLE customers (
  id bigint PRIMARY KEY,
  auth_user_id uuid NOT NULL REFERENCES auth.users (id),
  name text NOT NULL,
  joined date NOT NULL
);
CREATE TABLE products (
  id bigint PRIMARY KEY,
  sku text NOT NULL UNIQUE,
  title text NOT NULL,
  price numeric(10, 2) NOT NULL,
  stock bigint NOT NULL,
  tags text[] NOT NULL DEFAULT '{}',
  attributes jsonb,
  picture bytea
);
CREATE TABLE orders (
  tenant int NOT NULL,
  number bigint NOT NULL,
  customer_id bigint NOT NULL REFERENCES customers (id),
  status status NOT NULL DEFAULT 'open',
  paid_at timestamptz,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, number)
);
CREATE TABLE order_lines (
  id int PRIMARY KEY,
  tenant int NOT NULL,
  order_number bigint NOT NULL,
  product_sku text REFERENCES products (sku) ON DELETE SET NULL,
  quantity int DEFAULT 1,
  FOREIGN KEY (tenant, order_number) REFERENCES orders (tenant, number)
);
CREATE TABLE remarks (text text NOT NULL);
