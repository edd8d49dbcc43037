INSERT INTO profiles VALUES
 ('a1000000-0000-4000-8000-000000000001', 'user_2aBcD3fGhI', 'mara', 'Mara Lind', 'mara@example.com', '2023-01-02 08:00:00Z', 'Climbs and bakes', 'https://cdn.example.com/a/mara.png', 'https://cdn.example.com/c/mara.jpg', 'Malmö', 'https://mara.example', true, false, 11, 12, '2024-05-01 10:00:00Z', '2023-01-01 09:00:00Z', '2024-02-01 00:00:00Z'),
 ('a1000000-0000-4000-8000-000000000002', 'user_2eFgH4jKlM', 'tomas', NULL, 'tomas@example.com', NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 21, 22, NULL, '2023-02-01 09:00:00Z', NULL),
 ('a1000000-0000-4000-8000-000000000003', 'user_2iJkL5nOpQ', 'yuki', 'Yuki Abe', 'yuki@example.com', '2023-03-02 08:00:00Z', 'Photos', 'https://cdn.example.com/a/yuki.png', 'https://cdn.example.com/c/yuki.jpg', 'Osaka', 'https://yuki.example', false, true, 31, 32, '2024-05-03 10:00:00Z', '2023-03-01 09:00:00Z', '2024-02-03 00:00:00Z');
INSERT INTO profile_links (profile_id, label, url, sort_order) VALUES
 ('a1000000-0000-4000-8000-000000000001', 'Shop', 'https://shop.example', 3),
 ('a1000000-0000-4000-8000-000000000002', 'Code', 'https://code.example', 4);
INSERT INTO user_settings VALUES
 ('user_2aBcD3fGhI', 'dark', 'sv', 'Europe/Stockholm', true, false, true, 'strict', '2024-01-05 00:00:00Z'),
 ('user_2eFgH4jKlM', 'system', 'cs', NULL, false, true, NULL, NULL, '2024-01-06 00:00:00Z');
INSERT INTO follows VALUES
 ('a1000000-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000002', '2023-04-01 00:00:00Z'),
 ('a1000000-0000-4000-8000-000000000003', 'a1000000-0000-4000-8000-000000000001', '2023-04-02 00:00:00Z');
INSERT INTO blocks (blocker_id, blocked_id, reason, created_at) VALUES
 ('a1000000-0000-4000-8000-000000000002', 'a1000000-0000-4000-8000-000000000003', 'spam', '2023-04-03 00:00:00Z');
INSERT INTO mutes (user_id, muted_user_id, expires_at, created_at) VALUES
 ('user_2iJkL5nOpQ', 'user_2eFgH4jKlM', '2025-01-01 00:00:00Z', '2023-04-04 00:00:00Z'),
 ('user_2aBcD3fGhI', 'user_2iJkL5nOpQ', NULL, '2023-04-05 00:00:00Z');
INSERT INTO communities (slug, name, description, icon_url, banner_url, owner_id, visibility, is_nsfw, member_count, settings, created_at, updated_at) VALUES
 ('bakers', 'Bakers', 'Bread and more', 'https://cdn.example.com/i/b.png', 'https://cdn.example.com/b/b.jpg', 'a1000000-0000-4000-8000-000000000001', 'public', false, 120, '{"welcome": "Hej"}', '2023-05-01 00:00:00Z', '2024-03-01 00:00:00Z'),
 ('night-photo', 'Night photo', NULL, NULL, NULL, 'a1000000-0000-4000-8000-000000000003', 'private', true, 40, '{"welcome": "Hi", "slow": 3}', '2023-05-02 00:00:00Z', NULL);
INSERT INTO community_members (community_id, profile_id, role, nickname, joined_at) VALUES
 (1, 'a1000000-0000-4000-8000-000000000001', 'owner', NULL, '2023-05-03 00:00:00Z'),
 (1, 'a1000000-0000-4000-8000-000000000002', 'member', 'Tom', '2023-05-04 00:00:00Z'),
 (2, 'a1000000-0000-4000-8000-000000000003', 'owner', NULL, '2023-05-05 00:00:00Z');
INSERT INTO community_rules (community_id, title, description, position) VALUES
 (1, 'Be kind', 'Always', 1), (1, 'No ads', NULL, 2);
INSERT INTO community_invites VALUES
 ('a2000000-0000-4000-8000-000000000001', 1, 'a1000000-0000-4000-8000-000000000001', 'new@example.com', 'BREAD', 10, 3, '2024-12-31 00:00:00Z', '2023-06-01 00:00:00Z'),
 ('a2000000-0000-4000-8000-000000000002', 2, 'a1000000-0000-4000-8000-000000000003', NULL, 'NIGHT', NULL, 0, NULL, '2023-06-02 00:00:00Z');
INSERT INTO community_bans (community_id, banned_profile_id, banned_by_id, reason, banned_until, created_at) VALUES
 (2, 'a1000000-0000-4000-8000-000000000002', 'a1000000-0000-4000-8000-000000000003', 'flash', '2024-09-01 00:00:00Z', '2023-06-03 00:00:00Z'),
 (1, 'a1000000-0000-4000-8000-000000000003', NULL, NULL, NULL, '2023-06-04 00:00:00Z');
INSERT INTO join_requests (community_id, user_id, message, status, reviewed_by, reviewed_at, created_at) VALUES
 (2, 'user_2aBcD3fGhI', 'Please', 'approved', 'user_2iJkL5nOpQ', '2023-06-06 00:00:00Z', '2023-06-05 00:00:00Z'),
 (2, 'user_2eFgH4jKlM', NULL, 'pending', NULL, NULL, '2023-06-07 00:00:00Z');
INSERT INTO channel_categories (community_id, name, position) VALUES (1, 'Kitchen', 1), (2, 'Sky', 2);
INSERT INTO channels (community_id, category_id, name, topic, channel_type, slow_mode_seconds, is_archived, last_message_at, created_at) VALUES
 (1, 1, 'sourdough', 'Starters', 'text', 5, false, '2024-04-01 00:00:00Z', '2023-06-08 00:00:00Z'),
 (2, NULL, 'moon', NULL, 'voice', 0, true, NULL, '2023-06-09 00:00:00Z');
INSERT INTO tags VALUES (1, 'rye', 7), (2, 'moon', 1), (3, 'stars', 9);
INSERT INTO posts (community_id, author_id, parent_post_id, quoted_post_id, title, content, content_html, status, language, like_count, comment_count, view_count, is_pinned, edited_at, published_at, deleted_at, created_at) VALUES
 (1, 'a1000000-0000-4000-8000-000000000001', NULL, NULL, 'First loaf', 'It rose.', '<p>It rose.</p>', 'published', 'en', 5, 2, 900, true, NULL, '2023-07-01 01:00:00Z', NULL, '2023-07-01 00:00:00Z'),
 (1, 'a1000000-0000-4000-8000-000000000002', 1, NULL, NULL, 'Nice!', NULL, 'published', NULL, 1, 0, 80, false, '2023-07-02 02:00:00Z', '2023-07-02 01:00:00Z', NULL, '2023-07-02 00:00:00Z'),
 (NULL, 'a1000000-0000-4000-8000-000000000003', NULL, 1, 'Look', 'A loaf at night', NULL, 'removed', 'ja', 0, 0, 7, false, NULL, NULL, '2023-07-04 00:00:00Z', '2023-07-03 00:00:00Z');
INSERT INTO post_media VALUES
 ('a3000000-0000-4000-8000-000000000001', 1, 'https://cdn.example.com/m/1.jpg', 'image', 'A loaf', 800, 600, NULL, 'LEHV6n', 0),
 ('a3000000-0000-4000-8000-000000000002', 3, 'https://cdn.example.com/m/2.mp4', 'video', NULL, 1920, 1080, 12.5, NULL, 1);
INSERT INTO post_tags VALUES (1, 1), (3, 2), (3, 3);
INSERT INTO post_votes VALUES
 (1, 'a1000000-0000-4000-8000-000000000002', 1, '2023-07-05 00:00:00Z'),
 (3, 'a1000000-0000-4000-8000-000000000001', -1, '2023-07-06 00:00:00Z');
INSERT INTO comments (post_id, author_id, parent_id, body, score, depth, is_deleted, created_at, updated_at) VALUES
 (1, 'a1000000-0000-4000-8000-000000000003', NULL, 'Which flour?', 4, 0, false, '2023-07-07 00:00:00Z', NULL),
 (1, 'a1000000-0000-4000-8000-000000000001', 1, 'Rye', 2, 1, true, '2023-07-08 00:00:00Z', '2023-07-09 00:00:00Z');
INSERT INTO comment_votes VALUES
 (1, 'a1000000-0000-4000-8000-000000000001', 1), (2, 'a1000000-0000-4000-8000-000000000002', -1);
INSERT INTO reactions (user_id, subject_type, subject_id, emoji, created_at) VALUES
 ('user_2iJkL5nOpQ', 'post', 1, '🔥', '2023-07-10 00:00:00Z'),
 ('user_2aBcD3fGhI', 'comment', 2, '👍', '2023-07-11 00:00:00Z');
INSERT INTO bookmark_collections (user_id, name, is_public, created_at) VALUES
 ('user_2aBcD3fGhI', 'Later', true, '2023-07-12 00:00:00Z'), ('user_2iJkL5nOpQ', 'Best', false, '2023-07-13 00:00:00Z');
INSERT INTO bookmarks (user_id, post_id, collection_id, note, created_at) VALUES
 ('user_2aBcD3fGhI', 3, 1, 'moon', '2023-07-14 00:00:00Z'), ('user_2eFgH4jKlM', 1, NULL, NULL, '2023-07-15 00:00:00Z');
INSERT INTO shares (post_id, shared_by, slug, password, view_count, expires_at, created_at) VALUES
 (1, 'a1000000-0000-4000-8000-000000000001', 'x7k2', 'hunter2', 13, '2025-02-01 00:00:00Z', '2023-07-16 00:00:00Z'),
 (3, 'a1000000-0000-4000-8000-000000000003', 'p9q4', NULL, 14, NULL, '2023-07-17 00:00:00Z');
INSERT INTO polls (post_id, question, allows_multiple, closes_at) VALUES
 (1, 'Rye or wheat?', false, '2023-08-01 00:00:00Z'), (3, 'Moon or stars?', true, NULL);
INSERT INTO poll_options (poll_id, label, vote_count, sort_order) VALUES
 (1, 'Rye', 41, 1), (1, 'Wheat', 42, 2), (2, 'Moon', 43, 3);
INSERT INTO poll_votes (option_id, voter_id, voted_at) VALUES
 (1, 'a1000000-0000-4000-8000-000000000002', '2023-07-18 00:00:00Z'), (3, 'a1000000-0000-4000-8000-000000000001', '2023-07-19 00:00:00Z');
INSERT INTO events VALUES
 ('a4000000-0000-4000-8000-000000000001', 1, 'a1000000-0000-4000-8000-000000000001', 'Bake-off', 'Bring bread', 'Folkets Park', 55.59, 13.01, false, NULL, 50, '2024-06-01 10:00:00Z', '2024-06-01 14:00:00Z', NULL, '2024-01-10 00:00:00Z'),
 ('a4000000-0000-4000-8000-000000000002', 2, 'a1000000-0000-4000-8000-000000000003', 'Moonrise', NULL, NULL, NULL, NULL, true, 'https://meet.example/m', NULL, '2024-07-01 20:00:00Z', NULL, '2024-06-30 00:00:00Z', '2024-01-11 00:00:00Z');
INSERT INTO event_rsvps VALUES
 ('a4000000-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000002', 'going', 2, '2024-02-10 00:00:00Z'),
 ('a4000000-0000-4000-8000-000000000002', 'a1000000-0000-4000-8000-000000000001', 'not_going', 0, '2024-02-11 00:00:00Z');
INSERT INTO event_hosts VALUES
 ('a4000000-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000003');
INSERT INTO conversations VALUES
 ('a5000000-0000-4000-8000-000000000001', false, NULL, 'user_2aBcD3fGhI', '2024-03-03 00:00:00Z', '2024-03-01 00:00:00Z'),
 ('a5000000-0000-4000-8000-000000000002', true, 'Bakers only', 'user_2iJkL5nOpQ', NULL, '2024-03-02 00:00:00Z');
INSERT INTO conversation_participants VALUES
 ('a5000000-0000-4000-8000-000000000001', 'user_2aBcD3fGhI', '2024-03-04 00:00:00Z', false, '2024-03-05 00:00:00Z'),
 ('a5000000-0000-4000-8000-000000000001', 'user_2eFgH4jKlM', NULL, true, '2024-03-06 00:00:00Z');
INSERT INTO messages (conversation_id, sender_id, reply_to_id, body, attachments, edited_at, deleted_at, created_at) VALUES
 ('a5000000-0000-4000-8000-000000000001', 'user_2aBcD3fGhI', NULL, 'Hello', '[{"url": "https://cdn.example.com/f/1", "kind": "image"}]', NULL, NULL, '2024-03-07 00:00:00Z'),
 ('a5000000-0000-4000-8000-000000000001', 'user_2eFgH4jKlM', 1, NULL, '[]', '2024-03-09 00:00:00Z', '2024-03-10 00:00:00Z', '2024-03-08 00:00:00Z');
INSERT INTO message_receipts VALUES
 (1, 'user_2eFgH4jKlM', '2024-03-11 00:00:00Z', '2024-03-12 00:00:00Z'), (2, 'user_2aBcD3fGhI', '2024-03-13 00:00:00Z', NULL);
INSERT INTO message_reactions (message_id, user_id, emoji) VALUES (1, 'user_2eFgH4jKlM', '❤️'), (2, 'user_2iJkL5nOpQ', '😂');
INSERT INTO channel_messages (channel_id, sender_id, thread_id, content, mentions, is_pinned, sent_at) VALUES
 (1, 'user_2aBcD3fGhI', NULL, 'Starter?', '{user_2eFgH4jKlM,user_2iJkL5nOpQ}', true, '2024-04-01 00:00:00Z'),
 (1, 'user_2eFgH4jKlM', 1, 'Tomorrow', '{}', false, '2024-04-02 00:00:00Z');
INSERT INTO notifications (recipient_id, actor_id, type, post_id, comment_id, data, is_read, created_at) VALUES
 ('user_2aBcD3fGhI', 'user_2iJkL5nOpQ', 'reply', 1, 1, '{"preview": "Which flour?"}', true, '2024-04-03 00:00:00Z'),
 ('user_2eFgH4jKlM', NULL, 'like', NULL, NULL, NULL, false, '2024-04-04 00:00:00Z');
INSERT INTO notification_preferences (user_id, channel, event_type, enabled) VALUES
 ('user_2aBcD3fGhI', 'in_app', 'reply', true), ('user_2eFgH4jKlM', 'email', 'follow', false);
INSERT INTO push_subscriptions (user_id, endpoint, p256dh, auth_secret, user_agent, created_at) VALUES
 ('user_2aBcD3fGhI', 'https://push.example/1', 'BN1', 's3cret-1', 'Firefox', '2024-04-05 00:00:00Z'),
 ('user_2iJkL5nOpQ', 'https://push.example/2', 'BN2', 's3cret-2', NULL, '2024-04-06 00:00:00Z');
INSERT INTO devices VALUES
 ('a6000000-0000-4000-8000-000000000001', 'user_2aBcD3fGhI', 'ios', 'Phone', '1.2.3', '2024-04-07 00:00:00Z'),
 ('a6000000-0000-4000-8000-000000000002', 'user_2eFgH4jKlM', 'web', NULL, NULL, '2024-04-08 00:00:00Z');
INSERT INTO reports (reporter_id, reported_user_id, post_id, reason, details, status, resolved_by, resolved_at, created_at) VALUES
 ('a1000000-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000002', 2, 'rude', 'Very', 'resolved', 'a1000000-0000-4000-8000-000000000003', '2024-04-10 00:00:00Z', '2024-04-09 00:00:00Z'),
 ('a1000000-0000-4000-8000-000000000002', NULL, 3, 'spam', NULL, 'in_review', NULL, NULL, '2024-04-11 00:00:00Z');
INSERT INTO moderation_actions (community_id, moderator_id, target_profile_id, action, notes, created_at) VALUES
 (1, 'a1000000-0000-4000-8000-000000000001', 'a1000000-0000-4000-8000-000000000002', 'warn', 'Once', '2024-04-12 00:00:00Z'),
 (2, 'a1000000-0000-4000-8000-000000000003', 'a1000000-0000-4000-8000-000000000001', 'kick', NULL, '2024-04-13 00:00:00Z');
INSERT INTO audit_log (actor_id, action, entity_type, entity_id, changes, ip_address, occurred_at) VALUES
 ('user_2aBcD3fGhI', 'update', 'post', '1', '{"title": "First loaf"}', '10.0.0.1', '2024-04-14 00:00:00Z'),
 (NULL, 'delete', 'comment', '2', NULL, NULL, '2024-04-15 00:00:00Z');
INSERT INTO badges VALUES
 (1, 'early', 'Early bird', 'Was here first', 'https://cdn.example.com/b/1.svg', 'gold'), (2, 'helper', 'Helper', 'Answers a lot', NULL, 'bronze');
INSERT INTO user_badges VALUES
 (1, 'a1000000-0000-4000-8000-000000000001', '2024-04-16 00:00:00Z'), (2, 'a1000000-0000-4000-8000-000000000003', '2024-04-17 00:00:00Z');
INSERT INTO points_ledger (profile_id, delta, balance_after, reason, created_at) VALUES
 ('a1000000-0000-4000-8000-000000000001', 5, 15, 'post', '2024-04-18 00:00:00Z'), ('a1000000-0000-4000-8000-000000000002', -3, 7, 'report', '2024-04-19 00:00:00Z');
INSERT INTO drafts (author_id, community_id, title, content, saved_at) VALUES
 ('a1000000-0000-4000-8000-000000000001', 1, 'Second loaf', 'It…', '2024-04-20 00:00:00Z'), ('a1000000-0000-4000-8000-000000000003', NULL, NULL, NULL, '2024-04-21 00:00:00Z');
INSERT INTO media_uploads VALUES
 ('a7000000-0000-4000-8000-000000000001', 'user_2aBcD3fGhI', 'media/1.jpg', 'image/jpeg', 12345, 'c0ffee', '2024-04-22 00:00:00Z'),
 ('a7000000-0000-4000-8000-000000000002', 'user_2iJkL5nOpQ', 'media/2.mp4', 'video/mp4', 987654, NULL, '2024-04-23 00:00:00Z');
INSERT INTO oauth_connections (user_id, provider, provider_account_id, access_token, refresh_token, token_expires_at, scopes, connected_at) VALUES
 ('user_2aBcD3fGhI', 'spotify', 'sp-1', 'at-1', 'rt-1', '2024-05-01 00:00:00Z', '{read,write}', '2024-04-24 00:00:00Z'),
 ('user_2iJkL5nOpQ', 'flickr', 'fl-2', NULL, NULL, NULL, '{}', '2024-04-25 00:00:00Z');
INSERT INTO api_tokens VALUES
 ('a8000000-0000-4000-8000-000000000001', 'user_2aBcD3fGhI', 'Bot', 'hash-1', 'k3y1', '2024-04-26 00:00:00Z', NULL, '2024-04-27 00:00:00Z'),
 ('a8000000-0000-4000-8000-000000000002', 'user_2eFgH4jKlM', 'CI', 'hash-2', 'k3y2', NULL, '2024-04-28 00:00:00Z', '2024-04-29 00:00:00Z');
INSERT INTO webhooks VALUES
 ('a9000000-0000-4000-8000-000000000001', 1, 'https://hook.example/1', 'whs-1', '{post.created,post.removed}', true, 0, '2024-04-30 00:00:00Z'),
 ('a9000000-0000-4000-8000-000000000002', 2, 'https://hook.example/2', 'whs-2', '{member.joined}', false, 6, '2024-05-01 00:00:00Z');
INSERT INTO email_digests (user_id, frequency, last_sent_at, next_send_at) VALUES
 ('user_2aBcD3fGhI', 'daily', '2024-05-02 00:00:00Z', '2024-05-03 00:00:00Z'), ('user_2iJkL5nOpQ', 'weekly', NULL, '2024-05-04 00:00:00Z');
INSERT INTO search_history (user_id, query, result_count, searched_at) VALUES
 ('user_2aBcD3fGhI', 'rye', 17, '2024-05-05 00:00:00Z'), ('user_2eFgH4jKlM', 'moon', NULL, '2024-05-06 00:00:00Z');
INSERT INTO waitlist VALUES ('a@example.com', 'friend', '2022-12-01 00:00:00Z'), ('b@example.com', NULL, '2022-12-02 00:00:00Z');
INSERT INTO feature_flags VALUES
 ('polls', true, 100, 'Polls in posts', '2024-05-07 00:00:00Z'), ('voice', false, 10, NULL, '2024-05-08 00:00:00Z');
