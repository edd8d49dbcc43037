INSERT INTO auth.users (id, email, created_at)
SELECT md5('u' || n)::uuid, 'u' || n || '@example.org', timestamptz '2024-01-01' + n * interval '1 h'
FROM generate_series(1, 5) n;
INSERT INTO customers
SELECT n, md5('u' || n)::uuid, 'Customer ' || n, date '2024-02-28' + n FROM generate_series(1, 5) n;
INSERT INTO products
SELECT n, 'SKU-' || n, 'Product ' || n, n * 1.25, 9007199254740993 + n, ARRAY['a', 'b c'],
  jsonb_build_object('n', n), decode('00ff', 'hex')
FROM generate_series(1, 4) n;
INSERT INTO orders
SELECT 1 + n % 2, n, 1 + n % 5, (enum_range(NULL::status))[1 + n % 3],
  CASE WHEN n % 2 = 0 THEN timestamptz '2024-03-01 12:00:00.123456Z' END,
  timestamptz '2024-03-01T00:00:00Z' - n * interval '1 day'
FROM generate_series(1, 12) n;
INSERT INTO order_lines
SELECT n, 1 + n % 2, n, CASE WHEN n % 3 > 0 THEN 'SKU-' || 1 + n % 4 END,
  CASE WHEN n < 12 THEN n END
FROM generate_series(1, 12) n;
INSERT INTO remarks VALUES ('twice'), ('twice'), ('once');
