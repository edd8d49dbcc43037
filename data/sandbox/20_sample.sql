-- The regular rows: about a thousand, the same in every database that this script fills.
-- No clock and no chance: a key is md5('<table>:<n>'), a time is counted from a fixed one.

CREATE FUNCTION pg_temp.key(kind text, n integer) RETURNS uuid
  LANGUAGE sql IMMUTABLE RETURN md5(kind || ':' || n)::uuid;

-- Row n's time. Most have microseconds, which Convex cannot hold; every tenth has none.
CREATE FUNCTION pg_temp.at(n integer) RETURNS timestamptz LANGUAGE sql STABLE RETURN
  date_trunc(
    CASE WHEN n % 10 = 0 THEN 'milliseconds' ELSE 'microseconds' END,
    timestamptz '2024-01-08 02:30:00+00' + n * interval '61 hours 17 minutes 43.123457 seconds'
  );

CREATE FUNCTION pg_temp.pick(n integer, VARIADIC choices text[]) RETURNS text
  LANGUAGE sql IMMUTABLE RETURN choices[1 + n % cardinality(choices)];

-- ── who and where ───────────────────────────────────────────────────────────────────────────
INSERT INTO auth.users (
  id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
  raw_user_meta_data, created_at, updated_at
)
SELECT
  pg_temp.key('users', n), 'authenticated', 'authenticated', 'user' || n || '@example.com',
  '$2a$10$' || md5('password of user ' || n), pg_temp.at(n),
  '{"provider": "email", "providers": ["email"]}',
  jsonb_build_object('full_name', pg_temp.pick(n, 'Siti Rahayu', 'Nguyễn Văn An', 'Zoë O''Brien')),
  pg_temp.at(n), pg_temp.at(n + 3)
FROM generate_series(1, 12) n;

-- 1 to 7 migrate; 8, 9 and 10 are found out by 30_hazards.sql and convex.sql.
INSERT INTO workspaces
SELECT
  pg_temp.key('workspaces', n), name, slug, pg_temp.key('users', n),
  CASE WHEN n % 3 > 0 THEN 'kapso-' || n END, settings::jsonb,
  CASE WHEN n <> 6 THEN pg_temp.at(n) END, CASE WHEN n <> 6 THEN pg_temp.at(n * 4) END
FROM (
  VALUES
    (1, 'eduglobal-jakarta', 'EduGlobal Jakarta', '{"locale": "id-ID", "theme": null}'),
    (2, 'studi-bandung', 'Studi Bandung', '{"hours": {"mon": ["09:00", "17:00"]}}'),
    (3, 'surabaya-study', 'Surabaya "Study" Centre', '{}'),
    (4, 'medan-abroad', 'Medan Abroad', NULL),
    (5, 'café-münchen-日本', 'Café München 日本 ☕', '{"emoji": "☕"}'),
    (6, 'bali-unmapped', 'Bali Unmapped', '{}'),
    (7, 'semarang-lost-org', 'Semarang Lost Org', '{}'),
    (8, 'makassar-torn', 'Makassar Torn', '{}'),
    (9, 'ghost-town', 'Ghost Town', '{}'),
    (10, 'twin-cities', 'Twin Cities', '{}')
) w (n, slug, name, settings);

INSERT INTO contacts
SELECT
  pg_temp.key('contacts', n), pg_temp.key('workspaces', n % 7 + 1), '+62812' || 10000000 + n * 7919,
  CASE WHEN n % 9 > 0 THEN pg_temp.pick(n, 'Budi', 'Dewi Lestari', 'José Ñandú', '王小明', '') END,
  CASE WHEN n % 4 > 0 THEN 'contact' || n || '@example.com' END,
  CASE WHEN n % 17 > 0 THEN n % 101 END,
  CASE WHEN n % 19 > 0 THEN pg_temp.pick(n, 'new', 'warm', 'hot') END,
  CASE n % 5
    WHEN 0 THEN NULL
    WHEN 1 THEN '{}'
    WHEN 2 THEN ARRAY['vip', 'say "hi", please']
    ELSE ARRAY['beasiswa']
  END,
  CASE WHEN n % 11 > 0 THEN jsonb_build_object('utm', jsonb_build_array(n, NULL)) END,
  CASE WHEN n % 31 > 0 THEN pg_temp.at(n) END, CASE WHEN n % 23 > 0 THEN pg_temp.at(n + 2) END,
  CASE WHEN n % 3 = 0 THEN pg_temp.key('users', n % 12 + 1) END,
  CASE WHEN n % 2 = 0 THEN 'kapso ' || n END,
  CASE WHEN n % 2 = 0 THEN 'https://cdn.example.com/faces/' || n END,
  CASE WHEN n % 14 > 0 THEN n % 6 = 0 END,
  CASE WHEN n % 6 = 0 THEN pg_temp.at(n + 5) END,
  CASE WHEN n % 7 = 0 THEN pg_temp.at(n + 6) END,
  CASE WHEN n % 8 > 0 THEN '62812' || 10000000 + n * 7919 END
FROM generate_series(1, 93) n;

INSERT INTO conversations
SELECT pg_temp.key('conversations', n), pg_temp.key('workspaces', n % 7 + 1)
FROM generate_series(1, 12) n;

-- Conversation n is with contact n.
INSERT INTO ari_conversations
SELECT
  pg_temp.key('ari_conversations', n), pg_temp.key('workspaces', n % 7 + 1),
  pg_temp.key('contacts', n), CASE WHEN n <= 12 THEN pg_temp.key('conversations', n) END,
  CASE WHEN n % 29 > 0 THEN pg_temp.pick(n, 'greeting', 'qualifying', 'handoff') END,
  CASE WHEN n % 25 > 0 THEN n % 90 END, CASE WHEN n % 3 > 0 THEN pg_temp.pick(n, 'hot', 'cold') END,
  CASE WHEN n % 13 > 0 THEN jsonb_build_object('asked', jsonb_build_array('budget', 'intake')) END,
  CASE WHEN n % 4 > 0 THEN pg_temp.pick(n, 'gpt-4o', 'claude-sonnet') END,
  CASE WHEN n % 2 = 0 THEN pg_temp.at(n + 1) END, CASE WHEN n % 6 = 0 THEN pg_temp.at(n + 2) END,
  CASE WHEN n % 6 = 0 THEN 'asked for a person' END, CASE WHEN n % 33 > 0 THEN pg_temp.at(n) END,
  CASE WHEN n % 21 > 0 THEN pg_temp.at(n + 3) END
FROM generate_series(1, 76) n;

-- ── the twelve tables; ari_scoring_config stays empty ───────────────────────────────────────
INSERT INTO ari_destinations
SELECT
  pg_temp.key('ari_destinations', n), pg_temp.key('workspaces', n % 7 + 1),
  pg_temp.pick(n, 'Deutschland', 'Australia', '日本', 'Türkiye', 'Côte d''Ivoire'),
  CASE WHEN n % 6 > 0 THEN pg_temp.pick(n, 'München', 'Perth', '京都', 'İzmir') END,
  'University ' || n,
  jsonb_build_object(
    'ielts', 6.5, 'fee', n * 1000.25, 'deadline', NULL,
    'documents', jsonb_build_array('passport', jsonb_build_object('copies', n % 3))
  ),
  CASE n % 5
    WHEN 0 THEN NULL
    WHEN 1 THEN '{}'
    WHEN 2 THEN ARRAY['Law, Economics', 'Arts "and" Design', 'C:\Physics', '']
    ELSE ARRAY['Medicine', 'Informatik']
  END,
  CASE WHEN n % 18 > 0 THEN n % 2 = 0 END, CASE WHEN n % 15 > 0 THEN n % 4 - 1 END,
  CASE WHEN n % 7 > 0 THEN pg_temp.pick(n, 'popular', E'two\nlines', 'tab\there', '') END,
  pg_temp.at(n), CASE WHEN n % 13 > 0 THEN pg_temp.at(n + 9) END
FROM generate_series(1, 56) n;

-- Payments 1 to 70 are of conversation n, the others of a conversation that has one already.
INSERT INTO ari_payments
SELECT
  pg_temp.key('ari_payments', n), c.id, c.workspace_id,
  CASE n WHEN 3 THEN 2147483647 WHEN 4 THEN 0 WHEN 5 THEN -150000 ELSE n * 125000 END,
  CASE WHEN n % 31 > 0 THEN pg_temp.pick(n, 'IDR', 'EUR', 'AUD') END,
  CASE WHEN n % 3 > 0 THEN pg_temp.pick(n, 'gopay', 'bank_transfer', 'qris') END,
  CASE WHEN n % 37 > 0 THEN pg_temp.pick(n, 'midtrans', 'xendit') END,
  CASE WHEN n % 8 > 0 THEN 'TRX-' || n END,
  CASE
    WHEN n % 4 > 0 THEN jsonb_build_object(
      'transaction', jsonb_build_object('id', n, 'fraud', NULL, 'gross_amount', n * 125000 || '.00'),
      'va_numbers', jsonb_build_array(jsonb_build_object('va', NULL), jsonb_build_array())
    )
  END,
  CASE WHEN n % 41 > 0 THEN pg_temp.pick(n, 'pending', 'paid', 'expired') END,
  CASE WHEN n % 2 = 0 THEN pg_temp.at(n + 1) END, CASE WHEN n % 3 = 1 THEN pg_temp.at(n + 1) END,
  pg_temp.at(n), CASE WHEN n % 20 > 0 THEN pg_temp.at(n + 1) END
FROM generate_series(1, 96) n
JOIN ari_conversations c ON c.id = pg_temp.key('ari_conversations', (n - 1) % 70 + 1);

INSERT INTO ari_appointments
SELECT
  pg_temp.key('ari_appointments', n), c.id, c.workspace_id,
  CASE WHEN n <= 30 THEN pg_temp.key('ari_payments', n) END,
  CASE WHEN n % 4 > 0 THEN pg_temp.key('users', n % 12 + 1) END, pg_temp.at(n + 40),
  CASE WHEN n % 27 > 0 THEN 30 + n % 3 * 15 END,
  CASE WHEN n % 3 > 0 THEN 'https://meet.example.com/' || md5(n::text) || '?pwd=a%20b&x=' || n END,
  CASE WHEN n % 33 > 0 THEN pg_temp.pick(n, 'scheduled', 'completed', 'no_show') END,
  CASE WHEN n % 2 = 0 THEN pg_temp.at(n + 39) END,
  CASE WHEN n % 5 > 0 THEN pg_temp.pick(n, 'bring passport', 'ingin kuliah di 日本 🎓') END,
  pg_temp.at(n), CASE WHEN n % 16 > 0 THEN pg_temp.at(n + 2) END
FROM generate_series(1, 68) n
JOIN ari_conversations c ON c.id = pg_temp.key('ari_conversations', n);

INSERT INTO ari_ai_comparison
SELECT
  pg_temp.key('ari_ai_comparison', n), pg_temp.key('workspaces', n % 7 + 1),
  pg_temp.pick(n, 'gpt-4o', 'claude-sonnet', 'gemini-pro'),
  CASE WHEN n % 12 > 0 THEN n * 3 END, CASE WHEN n % 5 > 0 THEN 300 + n * 17 END,
  CASE WHEN n % 14 > 0 THEN n * 100003 END, CASE WHEN n % 16 > 0 THEN n % 9 END,
  CASE WHEN n % 6 > 0 THEN (n * 0.137)::numeric(3,2) END,
  CASE WHEN n % 8 > 0 THEN pg_temp.at(n) END, CASE WHEN n % 8 > 0 THEN pg_temp.at(n + 12) END,
  pg_temp.at(n + 12), CASE WHEN n % 11 > 0 THEN pg_temp.at(n + 13) END
FROM generate_series(1, 35) n;

INSERT INTO ari_flow_stages
SELECT
  pg_temp.key('ari_flow_stages', n), pg_temp.key('workspaces', n % 7 + 1), 'Stage ' || n,
  pg_temp.pick(n, 'Find the intake', 'Mengenal "tujuan" siswa', 'Übergabe an einen Menschen'),
  CASE WHEN n % 4 > 0 THEN E'Hi {{name}} 👋\nWhere would you like to study?' END,
  CASE WHEN n % 5 > 0 THEN 'budget is known' END, n / 7, CASE WHEN n % 10 > 0 THEN n % 3 > 0 END,
  pg_temp.at(n), CASE WHEN n % 9 > 0 THEN pg_temp.at(n + 7) END
FROM generate_series(1, 42) n;

INSERT INTO ari_knowledge_categories
SELECT
  pg_temp.key('ari_knowledge_categories', n), pg_temp.key('workspaces', n % 7 + 1),
  pg_temp.pick(n, 'Visa', 'Biaya & Beasiswa', '住宿') || ' ' || n,
  CASE WHEN n % 3 > 0 THEN pg_temp.pick(n, '', 'All about it') END, n / 7,
  pg_temp.at(n), CASE WHEN n % 8 > 0 THEN pg_temp.at(n + 1) END
FROM generate_series(1, 28) n;

-- Entry n's category is of the same workspace, since 28 is a multiple of 7.
INSERT INTO ari_knowledge_entries
SELECT
  pg_temp.key('ari_knowledge_entries', n), pg_temp.key('workspaces', n % 7 + 1),
  CASE WHEN n % 9 > 0 THEN pg_temp.key('ari_knowledge_categories', (n - 1) % 28 + 1) END,
  pg_temp.pick(n, 'Student visa', '“Smart quotes”', 'Wie viel kostet es?') || ' ' || n,
  repeat(pg_temp.pick(n, 'Ask the embassy. ', E'Zeile\r\n', 'a\b "c" ''d'' '), 1 + n % 5),
  CASE WHEN n % 24 > 0 THEN n % 5 > 0 END,
  pg_temp.at(n), CASE WHEN n % 26 > 0 THEN pg_temp.at(n + 4) END
FROM generate_series(1, 100) n;

INSERT INTO consultant_slots
SELECT
  pg_temp.key('consultant_slots', n), pg_temp.key('workspaces', n % 7 + 1),
  CASE WHEN n % 6 > 0 THEN pg_temp.key('users', n % 12 + 1) END, n / 7,
  time '08:00' + n % 8 * interval '1 hour', time '08:45' + n % 8 * interval '1 hour',
  CASE WHEN n % 20 > 0 THEN 45 END, CASE WHEN n % 22 > 0 THEN 14 END,
  CASE WHEN n % 25 > 0 THEN 1 + n % 2 END, CASE WHEN n % 15 > 0 THEN n % 4 > 0 END,
  pg_temp.at(n), CASE WHEN n % 12 > 0 THEN pg_temp.at(n + 8) END
FROM generate_series(1, 44) n;

INSERT INTO articles
SELECT
  pg_temp.key('articles', n), pg_temp.key('workspaces', n % 7 + 1),
  pg_temp.pick(n, 'Kuliah di Jepang', 'Studying in the "Real" World', 'Prüfung & Visum') || ' ' || n,
  'article-' || n, CASE WHEN n % 4 > 0 THEN pg_temp.pick(n, '', 'In short: yes 🎉', 'Ça va') END,
  CASE WHEN n % 5 > 0 THEN '<p class="lead">Step ' || n || E'</p>\n<pre>C:\\new\\table</pre>' END,
  CASE WHEN n % 3 > 0 THEN 'https://cdn.example.com/covers/' || n || '.jpg?v=1&w=1200' END,
  CASE WHEN n % 13 > 0 THEN pg_temp.pick(n, 'draft', 'published') END,
  CASE WHEN n % 2 = 1 THEN pg_temp.at(n + 1) END,
  pg_temp.at(n), CASE WHEN n % 11 > 0 THEN pg_temp.at(n + 2) END
FROM generate_series(1, 36) n;

INSERT INTO webinars
SELECT
  pg_temp.key('webinars', n), pg_temp.key('workspaces', n % 7 + 1),
  pg_temp.pick(n, 'Scholarships 101', 'Webinar: ドイツ留学', 'Tanya jawab 💬'), 'webinar-' || n,
  CASE WHEN n % 4 > 0 THEN E'Agenda:\n- "visa"\n- biaya' END,
  CASE WHEN n % 3 > 0 THEN 'https://cdn.example.com/webinars/' || n || '.png' END,
  pg_temp.at(n + 60), CASE WHEN n % 9 > 0 THEN 60 + n % 2 * 30 END,
  CASE WHEN n % 5 > 0 THEN 'https://meet.example.com/w/' || n END, CASE WHEN n % 2 = 0 THEN n * 50 END,
  CASE WHEN n % 10 > 0 THEN pg_temp.pick(n, 'draft', 'published', 'completed') END,
  CASE WHEN n % 3 > 0 THEN pg_temp.at(n + 20) END,
  pg_temp.at(n), CASE WHEN n % 7 > 0 THEN pg_temp.at(n + 21) END
FROM generate_series(1, 21) n;

-- Every contact of a workspace at every webinar of it, the first 260 of them.
INSERT INTO webinar_registrations
SELECT
  pg_temp.key('webinar_registrations', n), pg_temp.key('webinars', w), pg_temp.key('contacts', c),
  pg_temp.key('workspaces', w % 7 + 1), pg_temp.at(n), CASE WHEN n % 24 > 0 THEN n % 3 = 0 END
FROM (
  SELECT w, c, row_number() OVER (ORDER BY c, w)::integer AS n
  FROM generate_series(1, 21) w
  JOIN generate_series(1, 92) c ON c % 7 = w % 7
) pairs
WHERE n <= 260;
