SET LOCAL session_replication_role = replica; -- rows that no foreign key would take
CREATE FUNCTION pg_temp.id(n int) RETURNS uuid LANGUAGE sql
  RETURN ('c0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid;
INSERT INTO auth.users (id, email, encrypted_password, created_at) VALUES
  (pg_temp.id(1), 'ann@app.example', 'x', '2024-01-01T00:00:00Z'),
  (pg_temp.id(2), NULL, NULL, '2024-01-02T00:00:00Z'),
  (pg_temp.id(3), 'gone@app.example', 'x', '2024-01-03T00:00:00Z'); -- unknown to the identity provider
INSERT INTO profiles VALUES
  (pg_temp.id(1), 'Ann', 'https://ref.supabase.co/storage/v1/object/public/avatars/ann.png', '2024-01-01T00:00:01Z'),
  (pg_temp.id(2), 'Ben', 'https://cdn.example/ben.png', '2024-01-02T00:00:01Z'),
  (pg_temp.id(3), 'Cy', NULL, '2024-01-03T00:00:01Z');
INSERT INTO documents VALUES
  -- The token's end is 2033-05-18T03:33:20Z.
  (1, pg_temp.id(1), 'https://ref.supabase.co/storage/v1/object/sign/files/1.pdf?token=e30.eyJleHAiOjIwMDAwMDAwMDB9.x',
   '\x00ff10', 9223372036854775807, '[1,2.5,-3]', 1709210096789, '2024-02-29T12:34:56.789123Z', '2024-03-01T00:00:00Z'),
  (2, pg_temp.id(2), 'https://ref.supabase.co/storage/v1/object/public/files/2.pdf', '\x', 0, NULL, NULL,
   '1969-12-31T23:59:59.9995Z', NULL),
  (3, pg_temp.id(1), 'https://elsewhere.example/3.pdf', '\xab', -1, '[1,2]', 0, '2024-03-03T00:00:00Z', NULL), -- 2 of 3
  (4, pg_temp.id(3), 'https://elsewhere.example/4.pdf', '\xab', 1, NULL, NULL, '2024-03-04T00:00:00Z', NULL), -- of user 3
  (5, pg_temp.id(2), 'https://elsewhere.example/5.pdf', '\xab', 1, NULL, NULL, 'infinity', NULL);
INSERT INTO storage.objects VALUES
  ('d0000000-0000-0000-0000-000000000001', 'files', '1.pdf', pg_temp.id(1), '2024-02-29T12:00:00Z',
   '{"size": 1048576, "mimetype": "application/pdf"}'),
  ('d0000000-0000-0000-0000-000000000002', 'avatars', 'ann.png', pg_temp.id(3), '2024-02-29T13:00:00Z', -- of user 3
   '{"size": 300, "mimetype": "image/png"}'),
  ('d0000000-0000-0000-0000-000000000003', 'files', 'empty', NULL, '2024-02-29T14:00:00Z', NULL); -- no size
