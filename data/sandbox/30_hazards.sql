-- The hard rows: what a source of some age holds, and a first migration falls over.
-- README.md lists them by key. A key is md5('<table>:<n>'), as in 20_sample.sql.

-- A dirty source has orphans, though its foreign keys forbid them: rows from before the keys were
-- added, or from a restore without triggers. This is how the sample gets its own.
SET LOCAL session_replication_role = replica;

CREATE OR REPLACE FUNCTION pg_temp.key(kind text, n integer) RETURNS uuid
  LANGUAGE sql IMMUTABLE RETURN md5(kind || ':' || n)::uuid;

CREATE OR REPLACE FUNCTION pg_temp.at(n integer) RETURNS timestamptz LANGUAGE sql STABLE RETURN
  timestamptz '2024-06-03 11:05:07.654321+00' + n * interval '1 day 00:00:01.000007';

-- ── contacts and conversations ──────────────────────────────────────────────────────────────
-- 94: contact 1's phone in another workspace. 95, 96: unknown in Convex. 93 (regular here) is
-- there twice. 97 to 99: in the workspaces that fail. 100: in no workspace.
INSERT INTO contacts (
  id, workspace_id, phone, name, lead_score, lead_status, tags, metadata, created_at, updated_at
)
SELECT
  pg_temp.key('contacts', n), pg_temp.key('workspaces', workspace),
  CASE WHEN n = 94 THEN (SELECT phone FROM contacts WHERE id = pg_temp.key('contacts', 1))
  ELSE '+49 (89) ' || n END,
  'Hazard ' || n, 1, 'new', '{}', '{}', pg_temp.at(n), pg_temp.at(n)
FROM (
  VALUES (94, 5), (95, 1), (96, 2), (97, 8), (98, 9), (99, 10), (100, 99)
) c (n, workspace);

-- 77: its contact is unknown in Convex. 78 to 80: their workspaces fail. 81: no contact.
-- 82: no workspace. 75, 76 (regular here) are missing in Convex.
INSERT INTO ari_conversations (
  id, workspace_id, contact_id, state, lead_score, context, created_at, updated_at
)
SELECT
  pg_temp.key('ari_conversations', n), pg_temp.key('workspaces', workspace),
  pg_temp.key('contacts', contact), 'greeting', 0, '{}', pg_temp.at(n), pg_temp.at(n)
FROM (
  VALUES (77, 1, 95), (78, 8, 97), (79, 9, 98), (80, 10, 99), (81, 3, 999), (82, 99, 100)
) c (n, workspace, contact);

-- ── rows whose references lead nowhere ──────────────────────────────────────────────────────
-- Workspaces: 8 has two witnesses that disagree, 9 is unknown in Convex, 10 is there twice,
-- 99 does not exist.
INSERT INTO ari_destinations
SELECT
  pg_temp.key('ari_destinations', n), pg_temp.key('workspaces', workspace), 'Nowhere', 'Lost',
  'University ' || n, '{}', '{}', false, 0, NULL, pg_temp.at(n), pg_temp.at(n)
FROM (VALUES (57, 8), (58, 9), (59, 10), (60, 99)) d (n, workspace);

INSERT INTO ari_payments
SELECT
  pg_temp.key('ari_payments', n), pg_temp.key('ari_conversations', conversation),
  pg_temp.key('workspaces', workspace), n * 1000, 'IDR', NULL, 'midtrans', NULL, NULL, 'pending',
  NULL, NULL, pg_temp.at(n), pg_temp.at(n)
FROM (
  VALUES
    (97, 75, 6), (98, 76, 7), (99, 77, 1), (100, 78, 8), (101, 79, 9), (102, 80, 10), (103, 81, 3),
    (104, 999, 1), (105, 1, 99)
) p (n, conversation, workspace);

-- 69: no such payment. 70: payment 12 is rejected. 71: payment 104 is an orphan itself.
-- 72: no such consultant. The others: as the payments above.
INSERT INTO ari_appointments
SELECT
  pg_temp.key('ari_appointments', n), pg_temp.key('ari_conversations', conversation),
  pg_temp.key('workspaces', workspace), pg_temp.key('ari_payments', payment),
  pg_temp.key('users', consultant), pg_temp.at(n + 30), 60, NULL, 'scheduled', NULL, NULL,
  pg_temp.at(n), pg_temp.at(n)
FROM (
  VALUES
    (69, 2, 3, 999, 1), (70, 12, 6, 12, 2), (71, 3, 4, 104, 3), (72, 4, 5, NULL, 999),
    (73, 75, 6, NULL, 4), (74, 77, 1, NULL, NULL), (75, 78, 8, 100, NULL), (76, 79, 9, NULL, NULL),
    (77, 999, 1, NULL, NULL), (78, 5, 99, NULL, NULL)
) a (n, conversation, workspace, payment, consultant);

-- 39 is good, and equal to 8 in what is unique: a null period is equal to none.
INSERT INTO ari_ai_comparison
SELECT
  pg_temp.key('ari_ai_comparison', n), pg_temp.key('workspaces', workspace), 'gemini-pro', 1, NULL,
  1, 1, NULL, NULL, NULL, pg_temp.at(n), pg_temp.at(n)
FROM (VALUES (36, 8), (37, 9), (38, 99), (39, 2)) a (n, workspace);

INSERT INTO ari_flow_stages
SELECT
  pg_temp.key('ari_flow_stages', n), pg_temp.key('workspaces', workspace), 'Stage ' || n, 'Lost',
  NULL, NULL, 1, true, pg_temp.at(n), pg_temp.at(n)
FROM (VALUES (43, 8), (44, 9), (45, 99)) s (n, workspace);

INSERT INTO ari_knowledge_categories
SELECT
  pg_temp.key('ari_knowledge_categories', n), pg_temp.key('workspaces', workspace), 'Lost ' || n,
  NULL, 1, pg_temp.at(n), pg_temp.at(n)
FROM (VALUES (29, 8), (30, 10), (31, 99)) c (n, workspace);

-- 101: no such category. 102: category 29 is in a workspace that fails.
INSERT INTO ari_knowledge_entries
SELECT
  pg_temp.key('ari_knowledge_entries', n), pg_temp.key('workspaces', workspace),
  pg_temp.key('ari_knowledge_categories', category), 'Lost ' || n, '', true,
  pg_temp.at(n), pg_temp.at(n)
FROM (VALUES (101, 1, 999), (102, 1, 29), (103, 8, 29), (104, 9, NULL), (105, 99, NULL))
  e (n, workspace, category);

INSERT INTO consultant_slots
SELECT
  pg_temp.key('consultant_slots', n), pg_temp.key('workspaces', workspace),
  pg_temp.key('users', consultant), 1, '09:00', '10:00', 60, 14, 1, true,
  pg_temp.at(n), pg_temp.at(n)
FROM (VALUES (45, 8, 1), (46, 10, 1), (47, 99, 1), (48, 1, 999)) s (n, workspace, consultant);

INSERT INTO articles
SELECT
  pg_temp.key('articles', n), pg_temp.key('workspaces', workspace), 'Lost ' || n, 'lost-' || n,
  NULL, NULL, NULL, 'draft', NULL, pg_temp.at(n), pg_temp.at(n)
FROM (VALUES (37, 8), (38, 9), (39, 10), (40, 99)) a (n, workspace);

-- 22 has no created_at, so that its registrations have no parent.
INSERT INTO webinars
SELECT
  pg_temp.key('webinars', n), pg_temp.key('workspaces', workspace), 'Lost ' || n, 'lost-' || n,
  NULL, NULL, pg_temp.at(n + 90), 60, NULL, NULL, 'draft', NULL,
  CASE WHEN n <> 22 THEN pg_temp.at(n) END, pg_temp.at(n)
FROM (VALUES (22, 1), (23, 8), (24, 9), (25, 10), (26, 99)) w (n, workspace);

-- 269 is good: the contact shares its phone with one of another workspace.
INSERT INTO webinar_registrations
SELECT
  pg_temp.key('webinar_registrations', n), pg_temp.key('webinars', webinar),
  pg_temp.key('contacts', contact), pg_temp.key('workspaces', workspace), pg_temp.at(n), false
FROM (
  VALUES
    (261, 999, 91, 1), (262, 7, 999, 1), (263, 14, 91, 99), (264, 7, 95, 1), (265, 1, 96, 2),
    (266, 2, 93, 3), (267, 22, 91, 1), (268, 23, 97, 8), (269, 4, 94, 5), (270, 24, 98, 9),
    (271, 25, 99, 10)
) r (n, webinar, contact, workspace);

-- ── values ──────────────────────────────────────────────────────────────────────────────────
-- created_at null while updated_at is known, in every table that has them.
UPDATE ari_destinations SET created_at = NULL WHERE id = pg_temp.key('ari_destinations', 10);
UPDATE ari_payments SET created_at = NULL WHERE id = pg_temp.key('ari_payments', 12);
UPDATE ari_appointments SET created_at = NULL WHERE id = pg_temp.key('ari_appointments', 14);
UPDATE ari_ai_comparison SET created_at = NULL WHERE id = pg_temp.key('ari_ai_comparison', 5);
UPDATE ari_flow_stages SET created_at = NULL WHERE id = pg_temp.key('ari_flow_stages', 6);
UPDATE ari_knowledge_categories SET created_at = NULL
WHERE id = pg_temp.key('ari_knowledge_categories', 5);
UPDATE ari_knowledge_entries SET created_at = NULL WHERE id = pg_temp.key('ari_knowledge_entries', 7);
UPDATE consultant_slots SET created_at = NULL WHERE id = pg_temp.key('consultant_slots', 7);
UPDATE articles SET created_at = NULL WHERE id = pg_temp.key('articles', 8);
UPDATE webinar_registrations SET registered_at = NULL
WHERE id IN (pg_temp.key('webinar_registrations', 40), pg_temp.key('webinar_registrations', 41));
-- Neither is known.
UPDATE ari_destinations SET created_at = NULL, updated_at = NULL
WHERE id = pg_temp.key('ari_destinations', 11);
UPDATE ari_payments SET created_at = NULL, updated_at = NULL
WHERE id = pg_temp.key('ari_payments', 13);
UPDATE articles SET created_at = NULL, updated_at = NULL WHERE id = pg_temp.key('articles', 9);

-- Times: before 1970 with a fraction (rounding goes the wrong way there), the last moment before
-- 1970, the epoch itself, far ahead, and a whole second.
UPDATE articles SET published_at = '1969-07-20 20:17:40.123456+00'
WHERE id = pg_temp.key('articles', 1);
UPDATE articles SET published_at = '1969-12-31 23:59:59.999999+00'
WHERE id = pg_temp.key('articles', 3);
UPDATE articles SET published_at = '1970-01-01 00:00:00+00' WHERE id = pg_temp.key('articles', 5);
UPDATE articles SET created_at = '1912-06-23 06:00:00.000001+00'
WHERE id = pg_temp.key('articles', 7);
UPDATE webinars SET scheduled_at = '2150-12-31 23:59:59.999999+00'
WHERE id = pg_temp.key('webinars', 3);
UPDATE webinars SET scheduled_at = '2025-02-28 09:00:00+00' WHERE id = pg_temp.key('webinars', 4);
UPDATE ari_payments SET expires_at = '2999-12-31 23:59:59+00'
WHERE id = pg_temp.key('ari_payments', 6);

-- Text.
UPDATE articles SET title = E'👩‍👩‍👧‍👦 "Keluarga" \\ l''été\t№ 1\u0301',
  content = E'first\r\nsecond\n\n\\N and \\n and %s and {{x}}; DROP TABLE articles; --'
WHERE id = pg_temp.key('articles', 2);
UPDATE articles SET excerpt = '', content = '', cover_image_url = ''
WHERE id = pg_temp.key('articles', 4);
UPDATE ari_knowledge_entries SET title = ' نص عربي ', content = repeat('𝄞 ünïcödé ', 3000)
WHERE id = pg_temp.key('ari_knowledge_entries', 4);
UPDATE ari_appointments SET notes = 'null' WHERE id = pg_temp.key('ari_appointments', 1);

-- jsonb. 21: the value null, which is not SQL's null. 22: SQL's null. 24: a scalar. 25: nested.
-- 23, payments 33 and 37: names of fields that Convex refuses. Payment 34: no float64 holds it.
UPDATE ari_destinations SET requirements = 'null' WHERE id = pg_temp.key('ari_destinations', 21);
UPDATE ari_destinations SET requirements = NULL WHERE id = pg_temp.key('ari_destinations', 22);
UPDATE ari_destinations SET requirements = '{"$ref": "#/visa", "ielts": 6}'
WHERE id = pg_temp.key('ari_destinations', 23);
UPDATE ari_destinations SET requirements = '"see the website"'
WHERE id = pg_temp.key('ari_destinations', 24);
UPDATE ari_destinations
SET requirements = '{"a": [[1, [2, [3, null]]], {}, []], "b": {"c": {"d": {"e": [{"f": null}]}}}}'
WHERE id = pg_temp.key('ari_destinations', 25);
UPDATE ari_payments SET gateway_response = '{"headers": [{"$type": "gateway"}]}'
WHERE id = pg_temp.key('ari_payments', 33);
UPDATE ari_payments
SET gateway_response = '{"transaction_id": 12345678901234567890.123, "ok": true}'
WHERE id = pg_temp.key('ari_payments', 34);
UPDATE ari_payments
SET gateway_response = '{"exact": 9007199254740992, "tiny": 1e-7, "trailing": 1.10, "minus": -0.5}'
WHERE id = pg_temp.key('ari_payments', 35);
UPDATE ari_payments SET gateway_response = '{"Straße": "日本", "message": "a \"quote\" \\ \n 🎉"}'
WHERE id = pg_temp.key('ari_payments', 37);

-- text[]: an element that is null, and the word.
UPDATE ari_destinations SET programs = ARRAY['Law', NULL, 'Arts']
WHERE id = pg_temp.key('ari_destinations', 26);
UPDATE ari_destinations SET programs = ARRAY['NULL', 'null', '{}', 'a,b', 'say "hi"', E'x\\y', ' ']
WHERE id = pg_temp.key('ari_destinations', 27);

-- numeric(3,2): its ends, and digits that a float writes otherwise.
UPDATE ari_ai_comparison SET satisfaction_score = 9.99
WHERE id = pg_temp.key('ari_ai_comparison', 1);
UPDATE ari_ai_comparison SET satisfaction_score = 0.10
WHERE id = pg_temp.key('ari_ai_comparison', 2);
UPDATE ari_ai_comparison SET satisfaction_score = -9.99
WHERE id = pg_temp.key('ari_ai_comparison', 3);

-- time: the end of the day, which is later than 23:59, and a fraction.
UPDATE consultant_slots SET start_time = '22:30', end_time = '24:00'
WHERE id = pg_temp.key('consultant_slots', 1);
UPDATE consultant_slots SET start_time = '00:00', end_time = '00:00:30.123456'
WHERE id = pg_temp.key('consultant_slots', 2);
