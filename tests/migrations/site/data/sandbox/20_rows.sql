SET LOCAL session_replication_role = replica; -- rows that no foreign key would take
CREATE FUNCTION pg_temp.id(kind text, n int) RETURNS uuid LANGUAGE sql
  RETURN (kind || '0000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid;
INSERT INTO images VALUES (pg_temp.id('a', 1), 'reef.jpg', 1200), (pg_temp.id('a', 2), 'bay.jpg', 800);
INSERT INTO tags VALUES (pg_temp.id('b', 1), 'sea'), (pg_temp.id('b', 2), 'food'), (pg_temp.id('b', 3), 'new');
-- A child before its parent; 4 has no title, so that it falls out, with 5 below it; 6 is its own parent.
INSERT INTO categories VALUES (1, 2, 'reefs', 'Reefs'), (2, 3, 'coast', 'Coast'), (3, NULL, 'travel', 'Travel'),
  (4, 3, 'draft', NULL), (5, 4, 'draft-notes', 'Notes'), (6, 6, 'odd', 'Odd');
INSERT INTO articles VALUES
  ('diving', 'reefs', 'Diving', ARRAY[pg_temp.id('b', 3), pg_temp.id('b', 1), pg_temp.id('b', 2)],
   '[{"kind": "text", "text": "Down"}, {"kind": "image", "imageId": "a0000000-0000-0000-0000-000000000001"},
     {"kind": "see", "articles": ["dining", "swimming"], "n": 2},
     {"kind": "image", "imageId": "a0000000-0000-0000-0000-000000000002", "alt": null}]',
   '{"title": "Dive", "card": {"imageId": "a0000000-0000-0000-0000-000000000002", "words": ["a", "b"]}}',
   '{"de": {"title": "Tauchen", "checked": true}, "fr": {"title": "Plongée", "checked": false}}',
   '2024-03-01T10:00:00.5Z'),
  ('dining', 'coast', 'Dining', ARRAY[pg_temp.id('b', 2), pg_temp.id('b', 9), pg_temp.id('b', 2)], -- no tag 9
   '[{"kind": "see", "articles": ["diving"], "n": 1}]', NULL, '{}', NULL),
  ('swimming', 'travel', 'Swimming', '{}',
   '[{"kind": "image", "imageId": "a0000000-0000-0000-0000-000000000009"}, {"kind": "text", "text": "In"}]', -- no image 9
   '{"title": "Swim"}', '{}', '2024-03-03T00:00:00Z'),
  ('video', 'coast', 'Video', '{}', '[{"kind": "text", "text": "x"}, {"kind": "video", "url": "v.mp4"}]', NULL, '{}', NULL),
  ('notes', 'draft-notes', 'Notes', '{}', '[]', NULL, '{}', NULL), -- of a category that falls out
  ('odd', 'odd', 'Odd', '{}', '[]', '{"title": "Odd", "robots": "none"}', '{}', NULL); -- a field too many
INSERT INTO related_articles VALUES ('diving', 'swimming', 0.5), ('swimming', 'diving', 1), ('diving', 'video', 0.25);
