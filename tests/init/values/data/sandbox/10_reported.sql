CREATE TABLE notes (id int PRIMARY KEY, labels text[] NOT NULL, scores int[]);
INSERT INTO notes VALUES (1, '{a,b}', '{1,2}'), (2, '{{a,b},{c,d}}', '{3}'), (3, '{}', '[0:1]={7,8}'), (4, '{x}', NULL);
CREATE TABLE slots (id int PRIMARY KEY, starts timestamptz[] NOT NULL, days date[] NOT NULL, isos timestamptz[] NOT NULL, plain timestamp[] NOT NULL);
INSERT INTO slots VALUES
 (1, '{2024-01-01 10:00:00.123456+07,NULL}', '{2024-01-01}', '{2024-01-01 10:00:00.123456+07}', '{2024-01-01 10:00:00.000001}'),
 (2, '{infinity}', '{2024-01-01}', '{2024-01-01}', '{}'),
 (3, '{0044-03-15 12:00:00+00 BC}', '{2024-01-01}', '{2024-01-01}', '{}'),
 (4, '{2024-01-01}', '{infinity}', '{2024-01-01}', '{}'),
 (5, '{2024-01-01}', '{0044-03-15 BC}', '{15000-12-31 23:40:28+00}', '{}');
CREATE TABLE posts (id int PRIMARY KEY, tags jsonb, scores jsonb, flags jsonb);
INSERT INTO posts VALUES
 (1, '["a","b"]', '[1,2.5]', '[true]'),
 (2, '[1, "a", true]', '["7", "x"]', '[1, 0]'),
 (3, '{"a": 1}', '5', '"yes"'),
 (4, '"[\"a\"]"', '[1, null]', '[null]'),
 (5, '[{"b": 1}]', '[true]', '["true"]');
CREATE TABLE guilds (
  id int PRIMARY KEY,
  ids bigint[] NOT NULL,          -- v.array(v.number())
  anyids bigint[] NOT NULL,       -- v.any()
  prices numeric[] NOT NULL,      -- v.array(v.number())
  jids jsonb NOT NULL             -- v.array(v.number())
);
INSERT INTO guilds VALUES
  (1, '{1,2}', '{1,2}', '{1.5,2}', '[1,2]'),
  (3, '{1161380288898609914,7}', '{1}', '{1}', '[1]'),
  (4, '{1}', '{1161380288898609914}', '{1}', '[1]'),
  (5, '{1}', '{1}', '{0.1234567890123456789}', '[1]'),
  (6, '{1}', '{1}', '{1}', '[1161380288898609914]');
-- the same values one by one, and in an object: these are rejected, as they should be
CREATE TABLE singles (id int PRIMARY KEY, one bigint NOT NULL, obj jsonb NOT NULL);
INSERT INTO singles VALUES (1, 5, '{"n": 1}'), (2, 1161380288898609914, '{"n": 1}'), (3, 5, '{"n": 1161380288898609914}');
CREATE TABLE odd (
  id int PRIMARY KEY,
  opens timetz, opens_ms timetz,
  lasts interval, lasts_s interval,
  fee money, fee_n money,
  flag bit(1), flag_b bit(1), mask bit varying,
  code char(5), sign "char",
  span tstzrange, addr inet, mac macaddr, tsv tsvector, pt point, snap pg_lsn
);
INSERT INTO odd VALUES
 (1, '12:00:00+05:30', '12:00:00+05:30', '1 year 2 mons 3 days 04:05:06.789', '1 year 2 mons 3 days 04:05:06.789', '1234.56', '1234.56', B'1', B'1', B'0101', 'ab', 'x', '[2024-01-01,2024-02-01)', '10.0.0.1/24', '08:00:2b:01:02:03', 'cat:3', '(1,2)', '16/B374D848'),
 (2, '06:30:00+00', '06:30:00+00', '-1 days +02:03:00', '-1 days +02:03:00', '-1234.56', '-1234.56', B'0', B'0', B'', '', NULL, 'empty', '::1', NULL, '', NULL, '0/0'),
 (3, '24:00:00-08', '24:00:00-08', '1 mon', '1 mon', '92233720368547758.07', '92233720368547758.07', NULL, NULL, NULL, '  c', '', '(,)', NULL, NULL, NULL, NULL, NULL),
 (4, '12:00:00.5+05:30:15', '12:00:00.5+05:30:15', '-1 year -2 mons +3 days -04:05:06', '1 year', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
