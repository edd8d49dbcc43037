INSERT INTO auth.users (id, aud, role, email, raw_app_meta_data, raw_user_meta_data, created_at) VALUES
 ('c1000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'ana@club.example', '{}', '{}', '2023-01-01 00:00:00Z'),
 ('c1000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'ben@club.example', '{}', '{}', '2023-01-02 00:00:00Z');
INSERT INTO profiles VALUES
 ('c1000000-0000-4000-8000-000000000001', 'Ana Ruiz', 'https://cdn.example.com/ana.png', '2023-01-01 00:00:00Z'),
 ('c1000000-0000-4000-8000-000000000002', 'Ben Holt', NULL, '2023-01-02 00:00:00Z');
INSERT INTO articles (author_id, reviewer_id, parent_article_id, headline, body, status, created_at) VALUES
 ('c1000000-0000-4000-8000-000000000001', 'c1000000-0000-4000-8000-000000000002', NULL, 'Spring', 'It is here', 'published', '2023-02-01 00:00:00Z'),
 ('c1000000-0000-4000-8000-000000000002', NULL, 1, 'Re: Spring', 'Is it?', 'in_review', '2023-02-02 00:00:00Z'),
 ('c1000000-0000-4000-8000-000000000002', NULL, NULL, 'Autumn', '', NULL, '2023-02-03 00:00:00Z');
INSERT INTO shares (article_id, slug, fee_cents) VALUES (1, 'spring', 250), (2, 're-spring', 0);
INSERT INTO connections (profile_id, provider, access_token) VALUES
 ('c1000000-0000-4000-8000-000000000001', 'mastodon', 'at-1');
INSERT INTO guestbook VALUES ('cy@club.example', 'Hello'), ('dee@club.example', 'Hello');
