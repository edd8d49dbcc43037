-- The documents that a person expects: one query over the source for each Convex table.
-- ms, ref and pair are functions of tests/init/wide/support.py.
CREATE FUNCTION expected.who(clerk text) RETURNS text
  LANGUAGE sql AS $$ SELECT ref('users', id) FROM profiles WHERE clerk_user_id = clerk $$;

-- users
SELECT id AS _source_id, clerk_user_id AS "clerkId", username, full_name AS name, email,
  ms(email_confirmed_at) AS "emailVerificationTime", bio, avatar_url AS image,
  cover_url AS "coverImage", location, website, is_verified AS verified,
  coalesce(is_private, false) AS private, follower_count AS followers,
  following_count AS following, ms(last_seen_at) AS "lastSeenAt", id AS "legacySupabaseId"
FROM profiles;
-- userLinks
SELECT id AS _source_id, ref('users', profile_id) AS "userId", label, url, sort_order AS "order"
FROM profile_links;
-- userSettings
SELECT user_id AS _source_id, who(user_id) AS "userId", theme, locale AS language,
  time_zone AS timezone, email_notifications AS "emailNotifications",
  push_notifications AS "pushNotifications", autoplay_videos AS "autoplayVideos",
  coalesce(content_filter, 'moderate') AS "contentFilter", ms(updated_at) AS "updatedAt"
FROM user_settings;
-- follows
SELECT pair(follower_id::text, following_id::text) AS _source_id, ref('users', follower_id) AS "followerId",
  ref('users', following_id) AS "followingId" FROM follows;
-- blocks
SELECT id AS _source_id, ref('users', blocker_id) AS "blockerId",
  ref('users', blocked_id) AS "blockedId", reason FROM blocks;
-- mutes
SELECT id AS _source_id, who(user_id) AS "userId", who(muted_user_id) AS "mutedUserId",
  ms(expires_at) AS "expiresAt" FROM mutes;
-- communities
SELECT id AS _source_id, slug, name, description, icon_url AS icon, banner_url AS banner,
  ref('users', owner_id) AS "ownerId", visibility, is_nsfw AS nsfw, member_count AS "memberCount",
  settings, ms(updated_at) AS "updatedAt" FROM communities;
-- members
SELECT id AS _source_id, ref('communities', community_id) AS "communityId",
  ref('users', profile_id) AS "userId", role, nickname, ms(joined_at) AS "joinedAt"
FROM community_members;
-- rules
SELECT id AS _source_id, ref('communities', community_id) AS "communityId", title, description,
  position FROM community_rules;
-- invites
SELECT id AS _source_id, ref('communities', community_id) AS "communityId",
  ref('users', inviter_id) AS "invitedBy", invitee_email AS email, code, max_uses AS "maxUses",
  use_count AS uses, ms(expires_at) AS "expiresAt" FROM community_invites;
-- bans
SELECT id AS _source_id, ref('communities', community_id) AS "communityId",
  ref('users', banned_profile_id) AS "userId", ref('users', banned_by_id) AS "bannedBy", reason,
  ms(banned_until) AS until FROM community_bans;
-- joinRequests
SELECT id AS _source_id, ref('communities', community_id) AS "communityId",
  who(user_id) AS "userId", message, status, who(reviewed_by) AS "reviewedBy",
  ms(reviewed_at) AS "reviewedAt" FROM join_requests;
-- channelCategories
SELECT id AS _source_id, ref('communities', community_id) AS "communityId", name, position
FROM channel_categories;
-- channels
SELECT id AS _source_id, ref('communities', community_id) AS "communityId",
  ref('channelCategories', category_id) AS "categoryId", name, topic, channel_type AS type,
  slow_mode_seconds AS "slowModeSeconds", is_archived AS archived,
  ms(last_message_at) AS "lastMessageAt" FROM channels;
-- tags
SELECT id AS _source_id, name, usage_count AS "usageCount" FROM tags;
-- posts
SELECT id AS _source_id, ref('communities', community_id) AS "communityId",
  ref('users', author_id) AS "authorId", ref('posts', parent_post_id) AS "parentId",
  ref('posts', quoted_post_id) AS "quotedPostId", title, content AS body, content_html AS html,
  status, language, like_count AS "likeCount", comment_count AS "commentCount",
  view_count AS "viewCount", is_pinned AS pinned, ms(edited_at) AS "editedAt",
  ms(published_at) AS "publishedAt", ms(deleted_at) AS "deletedAt", ms(created_at) AS "createdAt",
  concat_ws(' ', title, content) AS "searchText" FROM posts;
-- postAttachments
SELECT id AS _source_id, ref('posts', post_id) AS "postId", media_url AS url, media_type AS kind,
  alt_text AS alt, width, height, duration_seconds AS duration, blurhash, position
FROM post_media;
-- postTags
SELECT pair(post_id::text, tag_id::text) AS _source_id, ref('posts', post_id) AS "postId",
  ref('tags', tag_id) AS "tagId" FROM post_tags;
-- postVotes
SELECT pair(post_id::text, voter_id::text) AS _source_id, ref('posts', post_id) AS "postId",
  ref('users', voter_id) AS "userId", value, ms(voted_at) AS "votedAt" FROM post_votes;
-- comments
SELECT id AS _source_id, ref('posts', post_id) AS "postId", ref('users', author_id) AS "authorId",
  ref('comments', parent_id) AS "parentId", body, score, depth, is_deleted AS deleted,
  ms(created_at) AS "createdAt", ms(updated_at) AS "updatedAt" FROM comments;
-- commentVotes
SELECT pair(comment_id::text, voter_id::text) AS _source_id, ref('comments', comment_id) AS "commentId",
  ref('users', voter_id) AS "userId", value FROM comment_votes;
-- reactions
SELECT id AS _source_id, who(user_id) AS "userId",
  ref(CASE subject_type WHEN 'post' THEN 'posts' ELSE 'comments' END, subject_id) AS subject, emoji
FROM reactions;
-- collections
SELECT id AS _source_id, who(user_id) AS "userId", name, is_public AS public
FROM bookmark_collections;
-- bookmarks
SELECT id AS _source_id, who(user_id) AS "userId", ref('posts', post_id) AS "postId",
  ref('collections', collection_id) AS "collectionId", note FROM bookmarks;
-- shareLinks
SELECT id AS _source_id, ref('posts', post_id) AS "postId", ref('users', shared_by) AS "createdBy",
  slug, view_count AS views, ms(expires_at) AS "expiresAt" FROM shares;
-- polls
SELECT id AS _source_id, ref('posts', post_id) AS "postId", question,
  allows_multiple AS "multipleChoice", ms(closes_at) AS "closesAt" FROM polls;
-- pollOptions
SELECT id AS _source_id, ref('polls', poll_id) AS "pollId", label AS text, vote_count AS votes,
  sort_order AS "order" FROM poll_options;
-- pollVotes
SELECT id AS _source_id, ref('pollOptions', option_id) AS "optionId",
  ref('users', voter_id) AS "userId", ms(voted_at) AS "votedAt" FROM poll_votes;
-- events
SELECT id AS _source_id, ref('communities', community_id) AS "communityId",
  ref('users', organizer_id) AS "organizerId", title, description, location_name AS venue,
  latitude AS lat, longitude AS lng, is_online AS online, meeting_url AS "meetingUrl", capacity,
  ms(starts_at) AS "startTime", ms(ends_at) AS "endTime", ms(cancelled_at) AS "cancelledAt"
FROM events;
-- rsvps
SELECT pair(event_id::text, profile_id::text) AS _source_id, ref('events', event_id) AS "eventId",
  ref('users', profile_id) AS "userId",
  CASE status WHEN 'not_going' THEN 'notGoing' ELSE status::text END AS status, guests,
  ms(responded_at) AS "respondedAt" FROM event_rsvps;
-- eventHosts
SELECT pair(event_id::text, profile_id::text) AS _source_id, ref('events', event_id) AS "eventId",
  ref('users', profile_id) AS "userId" FROM event_hosts;
-- conversations
SELECT id AS _source_id, is_group AS "isGroup", title, who(created_by) AS "createdBy",
  ms(last_message_at) AS "lastMessageAt" FROM conversations;
-- participants
SELECT pair(conversation_id::text, user_id::text) AS _source_id,
  ref('conversations', conversation_id) AS "conversationId", who(user_id) AS "userId",
  ms(last_read_at) AS "lastReadAt", is_muted AS muted, ms(joined_at) AS "joinedAt"
FROM conversation_participants;
-- messages
SELECT id AS _source_id, ref('conversations', conversation_id) AS "conversationId",
  who(sender_id) AS "senderId", ref('messages', reply_to_id) AS "replyTo", body, attachments,
  ms(edited_at) AS "editedAt", ms(deleted_at) AS "deletedAt" FROM messages;
-- messageReceipts
SELECT pair(message_id::text, user_id::text) AS _source_id, ref('messages', message_id) AS "messageId",
  who(user_id) AS "userId", ms(delivered_at) AS "deliveredAt", ms(read_at) AS "readAt"
FROM message_receipts;
-- messageReactions
SELECT id AS _source_id, ref('messages', message_id) AS "messageId", who(user_id) AS "userId",
  emoji FROM message_reactions;
-- channelMessages
SELECT id AS _source_id, ref('channels', channel_id) AS "channelId", who(sender_id) AS "authorId",
  ref('channelMessages', thread_id) AS "threadId", content AS text,
  ARRAY(SELECT who(m) FROM unnest(mentions) m) AS mentions, is_pinned AS pinned,
  ms(sent_at) AS "sentAt" FROM channel_messages;
-- notifications
SELECT id AS _source_id, who(recipient_id) AS "userId", who(actor_id) AS "actorId", type,
  ref('posts', post_id) AS "postId", ref('comments', comment_id) AS "commentId", data,
  is_read AS read FROM notifications;
-- notificationPreferences
SELECT id AS _source_id, who(user_id) AS "userId",
  CASE channel WHEN 'in_app' THEN 'inApp' ELSE channel END AS channel, event_type AS "eventType",
  enabled FROM notification_preferences;
-- pushSubscriptions
SELECT id AS _source_id, who(user_id) AS "userId", endpoint, p256dh, user_agent AS "userAgent"
FROM push_subscriptions;
-- devices
SELECT id AS _source_id, who(user_id) AS "userId", platform, device_name AS name,
  app_version AS "appVersion", ms(last_active_at) AS "lastActiveAt" FROM devices;
-- reports
SELECT id AS _source_id, ref('users', reporter_id) AS "reporterId",
  ref('users', reported_user_id) AS "reportedUserId", ref('posts', post_id) AS "postId", reason,
  details, CASE status WHEN 'in_review' THEN 'inReview' ELSE status END AS status,
  ref('users', resolved_by) AS "resolvedBy", ms(resolved_at) AS "resolvedAt" FROM reports;
-- moderationActions
SELECT id AS _source_id, ref('communities', community_id) AS "communityId",
  ref('users', moderator_id) AS "moderatorId", ref('users', target_profile_id) AS "userId",
  action, notes FROM moderation_actions;
-- auditLogs
SELECT id AS _source_id, who(actor_id) AS "actorId", action, entity_type AS "entityType",
  entity_id AS "entityId", changes, host(ip_address) AS ip, ms(occurred_at) AS timestamp
FROM audit_log;
-- badges
SELECT id AS _source_id, slug, name, description, icon_url AS icon, tier FROM badges;
-- userBadges
SELECT pair(badge_id::text, profile_id::text) AS _source_id, ref('badges', badge_id) AS "badgeId",
  ref('users', profile_id) AS "userId", ms(awarded_at) AS "awardedAt" FROM user_badges;
-- points
SELECT id AS _source_id, ref('users', profile_id) AS "userId", delta,
  balance_after AS "balanceAfter", reason FROM points_ledger;
-- drafts
SELECT id AS _source_id, ref('users', author_id) AS "authorId",
  ref('communities', community_id) AS "communityId", title, content AS body,
  ms(saved_at) AS "savedAt" FROM drafts;
-- uploads
SELECT id AS _source_id, who(uploader_id) AS "uploadedBy", storage_path AS path,
  mime_type AS "contentType", size_bytes AS size, checksum, ms(uploaded_at) AS "uploadedAt"
FROM media_uploads;
-- connections
SELECT id AS _source_id, who(user_id) AS "userId", provider,
  provider_account_id AS "providerAccountId", ms(token_expires_at) AS "tokenExpiresAt", scopes,
  ms(connected_at) AS "connectedAt" FROM oauth_connections;
-- apiTokens
SELECT id AS _source_id, who(user_id) AS "userId", name, last_four AS "lastFour",
  ms(last_used_at) AS "lastUsedAt", ms(revoked_at) AS "revokedAt" FROM api_tokens;
-- webhooks
SELECT id AS _source_id, ref('communities', community_id) AS "communityId", url, secret,
  event_types AS events, is_active AS enabled, failure_count AS failures FROM webhooks;
-- digests
SELECT id AS _source_id, who(user_id) AS "userId", frequency, ms(last_sent_at) AS "lastSentAt",
  ms(next_send_at) AS "nextSendAt" FROM email_digests;
-- searches
SELECT id AS _source_id, who(user_id) AS "userId", query, result_count AS "resultCount",
  ms(searched_at) AS "searchedAt" FROM search_history;
-- waitlist
SELECT email AS _source_id, email, referral_source AS "referralSource",
  ms(created_at) AS "createdAt" FROM waitlist;
-- featureFlags
SELECT key AS _source_id, key, enabled, rollout_percentage AS rollout, description,
  ms(updated_at) AS "updatedAt" FROM feature_flags;
