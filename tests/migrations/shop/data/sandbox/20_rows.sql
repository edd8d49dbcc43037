SET LOCAL session_replication_role = replica; -- a cycle, and rows that no foreign key would take
INSERT INTO addresses VALUES (1, '1 Bay St', 'Kingston'), (9007199254740993, '2 Hill Rd', 'Port Antonio');
INSERT INTO customers VALUES
  (1, 'Ann@shop.example', 'north', 2, '2024-01-01T00:00:00Z'),
  (2, 'ben@shop.example', 'north', 3, '2024-01-02T00:00:00.000123Z'),
  (9007199254740993, 'cy@shop.example', NULL, NULL, '1969-12-31T23:59:59.999Z'),
  (4, 'dot@shop.example', 'south', 1, '2024-01-04T00:00:00Z'),
  (5, 'DOT@shop.example', NULL, NULL, '2024-01-05T00:00:00Z'); -- the same address, once it is lower
INSERT INTO products VALUES
  (1, 'Rake', 'Acme', '{steel,"long, heavy"}', 12.5000), (2, 'Spade', 'Acme', '{}', 7.9900),
  (3, 'Hose', 'Flow', '{}', 0.1000),
  (4, 'Pond', NULL, '{}', 9007199254740993.0001), -- no float64
  (5, 'Pump', 'Flow', '{}', 250.0000);
INSERT INTO orders VALUES
  ('north', 1, 1, 1, 9007199254740993, 'Shipped', '2024-02-01T08:00:00Z', '2024-02-29'),
  ('north', 2, 1, 1, NULL, 'In Progress', '2024-02-02T08:00:00Z', NULL),
  ('north', 3, 2, 1, 1, 'Lost', '2024-02-03T08:00:00Z', NULL), -- a status that the schema has not
  ('north', 4, 9007199254740993, 9007199254740993, 77, 'Pending', '2024-02-04T08:00:00Z', NULL), -- no address 77
  ('south', 1, 4, 1, 1, 'Pending', '2024-02-05T08:00:00Z', NULL); -- of a customer that falls out
INSERT INTO order_lines VALUES
  ('north', 1, 1, 1, 2, 12.5000), ('north', 1, 2, 3, NULL, 0.1000), ('north', 2, 1, 2, 1, 7.9900),
  ('north', 2, 2, 4, 1, 1.0000), -- of the pond
  ('north', 3, 1, 1, 1, 12.5000), ('south', 1, 1, 5, 1, 250.0000),
  ('north', 4, 1, 2, 3, 7.9900);
INSERT INTO remarks VALUES ('twice'), ('twice'), ('once');
