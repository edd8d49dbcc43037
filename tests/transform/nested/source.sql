CREATE TABLE users (id integer PRIMARY KEY, name text);
INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 4) n;
CREATE TABLE files (id uuid PRIMARY KEY, name text, content bytea, revision bigint);
INSERT INTO files VALUES
    ('00000000-0000-0000-0000-000000000001', 'a.png', '\x00ff10', 9223372036854775807),
    ('00000000-0000-0000-0000-000000000002', 'b.png', '', -1);
CREATE TABLE pages (id integer PRIMARY KEY, title text, authors integer[], blocks jsonb,
    shares jsonb, settings jsonb, owner text, mixed jsonb);
INSERT INTO pages VALUES
    (1, 'all of it', '{3,1,2}',
     '[{"type": "image", "imageId": "00000000-0000-0000-0000-000000000001", "alt": null},
       {"type": "text", "text": "users:1 is no reference here", "weight": 7},
       {"type": "image", "imageId": "00000000-0000-0000-0000-000000000002", "alt": "b"}]',
     '{"users:1": 0.5, "users:2": 2}',
     '{"ownerId": 2, "theme": "users:3", "gallery": [{"file": "00000000-0000-0000-0000-000000000001",
       "x": [1, null]}, {"x": "no file"}], "empty": {}}', 'users:4', '"text"'),
    (2, 'little', '{}', '[]', '{}', NULL, 'files:00000000-0000-0000-0000-000000000002', '1.5'),
    (3, 'orphans', '{1,9,2}',
     '[{"type": "image", "imageId": "00000000-0000-0000-0000-000000000009"},
       {"type": "text", "text": "stays"}]',
     '{}', '{"ownerId": 77, "gallery": []}', 'users:1', 'null'),
    (4, 'of no member', '{}', '[{"type": "video"}]', '{}', NULL, 'users:1', 'null'),
    (5, 'extra', '{}', '[{"type": "text", "text": "x", "more": 1}]', '{}', NULL, 'users:1', 'null'),
    (6, 'wrong', '{}', '[{"type": "text", "text": "x"}, {"type": "text", "text": 5}]', '{}', NULL,
     'users:1', 'true');
CREATE TABLE events (id integer PRIMARY KEY, kind text, "user" integer, file uuid,
    at double precision, size integer);
INSERT INTO events VALUES
    (1, 'login', 1, NULL, 1.5, NULL),
    (2, 'upload', NULL, '00000000-0000-0000-0000-000000000001', NULL, NULL),
    (3, 'upload', NULL, '00000000-0000-0000-0000-000000000002', NULL, 9),
    (4, 'upload', 1, '00000000-0000-0000-0000-000000000002', NULL, 9),
    (5, 'login', 1, NULL, NULL, NULL);
CREATE TABLE notes (id integer PRIMARY KEY, body text, data jsonb);
INSERT INTO notes VALUES (1, 'n', '{"b": [1, {"a": null}], "a": -0.0, "editors": [4, 3]}'),
    (2, NULL, 'null');
CREATE TABLE categories (id integer PRIMARY KEY, name text, parent integer);
INSERT INTO categories VALUES (1, 'root', NULL), (2, NULL, 1), (3, 'of 2', 2), (4, 'of 3', 3),
    (5, 'of 1', 1), (6, 'of itself', 6), (7, 'orphan', 99), (8, 'of 7', 7), (9, 'ring', 10),
    (10, 'ring', 9);
CREATE TABLE teams (id integer PRIMARY KEY, name text, lead integer);
INSERT INTO teams VALUES (1, 'good', 1), (2, NULL, 2), (3, 'led by 3', 3);
CREATE TABLE members (id integer PRIMARY KEY, team integer, friends integer[]);
INSERT INTO members VALUES (1, 1, '{2}'), (2, NULL, '{}'), (3, 2, '{1}'), (4, 3, '{}'),
    (5, NULL, '{3,1,4,2}');
