INSERT INTO auth.users (id, email, created_at) VALUES
  ('00000000-0000-0000-0000-000000000001', 'ada@example.org', '2024-01-01T00:00:00Z');
INSERT INTO profiles (id, user_id, display_name, mail, role, created_at) VALUES
  ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 'Ada',
   'ada@example.org', 'owner', '2024-01-01T00:00:00.123456Z');
INSERT INTO categories (parent_id, slug, name) VALUES (NULL, 'top', 'Top'), (1, 'sub', 'Sub');
INSERT INTO products VALUES (
  'A-1', 'sub', 12.50, 9007199254740993, 0.5, 'live', 'so_far', '{a,"b c"}', '{2,1}',
  '{"size": "L"}', '{"amount": 3, "currency": "EUR"}', '{0.25,0.5}', '[1,2,3]', '\xdead', 'photos/a.png',
  '2024-02-29', '08:30', 7, 2, '2024-02-29T12:00:00Z', 'x'
);
INSERT INTO orders VALUES
  (1, 10, 'in_progress', '00000000-0000-0000-0000-000000000001', '2024-03-01T00:00:00Z');
INSERT INTO order_items VALUES (1, 10, 1, 'A-1', 2), (2, NULL, 1, 'A-1', 1);
INSERT INTO notes VALUES ('same', NULL), ('same', NULL), ('other', '2024-01-01');
INSERT INTO events VALUES (1, 'login', '2024-01-01', NULL), (2, 'sale', '2024-01-02', 5);
INSERT INTO blobs VALUES (1, '{"a": 1}', '2024-01-01');
INSERT INTO comments VALUES (1, 'product', 'A-1', 'good');
INSERT INTO subscriptions VALUES (1, 5, '00000000-0000-0000-0000-000000000001');
INSERT INTO members VALUES (7, '00000000-0000-0000-0000-000000000001', 'Ada');
INSERT INTO reviews VALUES (1, '00000000-0000-0000-0000-000000000001', 'fine');
