-- One odd value a row; every other column is null.
CREATE TYPE pair AS (a int, b text);
CREATE TABLE mine (
  id int PRIMARY KEY, grid int[], words text[], sums numeric[], big jsonb, bigs jsonb, word jsonb,
  n text, paid text, flag text, both_of pair, span interval, fee money, at timetz, doc json,
  docs json[], name json, moments timestamp[], nums text[], obj jsonb
);
INSERT INTO mine (id, grid) VALUES (1, '{{1,2},{3,4}}'), (2, '{1,2}'), (3, '{{{1}}}'), (4, '[0:0][3:4]={{1,2}}');
INSERT INTO mine (id, words) VALUES (5, '{{"a,b","{c}"},{"\"",d}}'), (6, '{{a,NULL}}');
INSERT INTO mine (id, sums) VALUES (7, '{9007199254740993,2.0}'), (8, '{1,1.5}'), (9, '{9223372036854775808}');
INSERT INTO mine (id, big) VALUES (10, '9007199254740993'), (11, '1.5'), (12, '"7"'), (13, '9223372036854775808'), (48, 'null');
INSERT INTO mine (id, bigs) VALUES (14, '[9007199254740993,-1]'), (15, '[1,true]'), (16, '{"a":1}');
INSERT INTO mine (id, word) VALUES (17, '5'), (18, '"x"'), (19, '9007199254740993');
INSERT INTO mine (id, n) VALUES (20, '0.10'), (21, 'abc'), (22, '1e400'), (23, '0.1234567890123456789');
INSERT INTO mine (id, flag) VALUES (24, 'yes'), (25, 'maybe');
INSERT INTO mine (id, both_of) VALUES (26, '(1,x)');
INSERT INTO mine (id, span) VALUES (27, '-1 days +02:03:00.5'), (28, '1 mon'), (29, '178000000 years');
INSERT INTO mine (id, fee) VALUES (30, '-1234.56'), (31, '92233720368547758.07');
INSERT INTO mine (id, at) VALUES (32, '02:00:00+05:30'), (33, '24:00:00+00');
INSERT INTO mine (id, doc) VALUES (34, '{"a":"\ud83d"}'), (35, '{"a":"\u0000"}'), (36, '{"a":"\ud83d\ude00"}'), (37, '[1e400]');
INSERT INTO mine (id, docs) VALUES (38, ARRAY['{"a":1}', '{"a":"\ud83d"}']::json[]), (39, ARRAY['{"a":1}', NULL]::json[]);
INSERT INTO mine (id, name) VALUES (40, '"\ud83d"'), (41, '"x"');
INSERT INTO mine (id, moments) VALUES (42, '{2024-02-29 12:00:00.5}'), (43, '{-infinity}');
INSERT INTO mine (id, nums) VALUES (44, '{1.50,NaN}'), (45, '{x}');
INSERT INTO mine (id, obj) VALUES (46, '{"n": [1, 1161380288898609914]}'), (47, '{"n": [1]}');
