-- A community: people sign in with Clerk, whose ids are text; most tables say who by that text.
CREATE TYPE member_role AS ENUM ('owner', 'admin', 'moderator', 'member');
CREATE TYPE post_status AS ENUM ('draft', 'published', 'archived', 'removed');
CREATE TYPE rsvp_status AS ENUM ('going', 'maybe', 'not_going');
CREATE FUNCTION requesting_user_id() RETURNS text
  LANGUAGE sql STABLE RETURN current_setting('request.jwt.claims', true)::json ->> 'sub';

CREATE TABLE profiles (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  clerk_user_id text NOT NULL UNIQUE,
  username text NOT NULL UNIQUE,
  full_name text,
  email text NOT NULL,
  email_confirmed_at timestamptz,
  bio text,
  avatar_url text,
  cover_url text,
  location text,
  website text,
  is_verified boolean NOT NULL DEFAULT false,
  is_private boolean DEFAULT false,
  follower_count integer NOT NULL DEFAULT 0,
  following_count integer NOT NULL DEFAULT 0,
  last_seen_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE profile_links (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  profile_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  label text NOT NULL,
  url text NOT NULL,
  sort_order integer NOT NULL DEFAULT 0
);
CREATE TABLE user_settings (
  user_id text PRIMARY KEY DEFAULT requesting_user_id(),
  theme text NOT NULL DEFAULT 'system' CHECK (theme IN ('light', 'dark', 'system')),
  locale text NOT NULL DEFAULT 'en',
  time_zone text,
  email_notifications boolean NOT NULL DEFAULT true,
  push_notifications boolean NOT NULL DEFAULT true,
  autoplay_videos boolean DEFAULT true,
  content_filter text DEFAULT 'moderate' CHECK (content_filter IN ('off', 'moderate', 'strict')),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE follows (
  follower_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  following_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (follower_id, following_id)
);
CREATE TABLE blocks (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  blocker_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  blocked_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  reason text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE mutes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL DEFAULT requesting_user_id(),
  muted_user_id text NOT NULL,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE communities (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug text NOT NULL UNIQUE,
  name text NOT NULL,
  description text,
  icon_url text,
  banner_url text,
  owner_id uuid NOT NULL REFERENCES profiles (id),
  visibility text NOT NULL DEFAULT 'public'
    CHECK (visibility IN ('public', 'restricted', 'private')),
  is_nsfw boolean NOT NULL DEFAULT false,
  member_count integer NOT NULL DEFAULT 0,
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE community_members (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  profile_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  role member_role NOT NULL DEFAULT 'member',
  nickname text,
  joined_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (community_id, profile_id)
);
CREATE TABLE community_rules (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  title text NOT NULL,
  description text,
  position smallint NOT NULL
);
CREATE TABLE community_invites (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  inviter_id uuid NOT NULL REFERENCES profiles (id),
  invitee_email text,
  code text NOT NULL UNIQUE,
  max_uses integer,
  use_count integer NOT NULL DEFAULT 0,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE community_bans (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  banned_profile_id uuid NOT NULL REFERENCES profiles (id),
  banned_by_id uuid REFERENCES profiles (id),
  reason text,
  banned_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE join_requests (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  user_id text NOT NULL DEFAULT requesting_user_id(),
  message text,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'declined')),
  reviewed_by text,
  reviewed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE channel_categories (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  name text NOT NULL,
  position smallint NOT NULL DEFAULT 0
);
CREATE TABLE channels (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  category_id bigint REFERENCES channel_categories (id) ON DELETE SET NULL,
  name text NOT NULL,
  topic text,
  channel_type text NOT NULL DEFAULT 'text' CHECK (channel_type IN ('text', 'voice', 'stage')),
  slow_mode_seconds integer NOT NULL DEFAULT 0,
  is_archived boolean NOT NULL DEFAULT false,
  last_message_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE tags (
  id integer PRIMARY KEY,
  name text NOT NULL UNIQUE,
  usage_count integer NOT NULL DEFAULT 0
);
CREATE TABLE posts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  community_id bigint REFERENCES communities (id) ON DELETE CASCADE,
  author_id uuid NOT NULL REFERENCES profiles (id),
  parent_post_id bigint REFERENCES posts (id),
  quoted_post_id bigint REFERENCES posts (id),
  title text,
  content text NOT NULL,
  content_html text,
  status post_status NOT NULL DEFAULT 'draft',
  language text,
  like_count integer NOT NULL DEFAULT 0,
  comment_count integer NOT NULL DEFAULT 0,
  view_count bigint NOT NULL DEFAULT 0,
  is_pinned boolean NOT NULL DEFAULT false,
  edited_at timestamptz,
  published_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE post_media (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  post_id bigint NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
  media_url text NOT NULL,
  media_type text NOT NULL CHECK (media_type IN ('image', 'video', 'gif')),
  alt_text text,
  width integer,
  height integer,
  duration_seconds numeric(8, 2),
  blurhash text,
  position smallint NOT NULL DEFAULT 0
);
CREATE TABLE post_tags (
  post_id bigint NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
  tag_id integer NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
  PRIMARY KEY (post_id, tag_id)
);
CREATE TABLE post_votes (
  post_id bigint NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
  voter_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  value smallint NOT NULL CHECK (value IN (-1, 1)),
  voted_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (post_id, voter_id)
);
CREATE TABLE comments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  post_id bigint NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
  author_id uuid NOT NULL REFERENCES profiles (id),
  parent_id bigint REFERENCES comments (id) ON DELETE CASCADE,
  body text NOT NULL,
  score integer NOT NULL DEFAULT 0,
  depth smallint NOT NULL DEFAULT 0,
  is_deleted boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE comment_votes (
  comment_id bigint NOT NULL REFERENCES comments (id) ON DELETE CASCADE,
  voter_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  value smallint NOT NULL CHECK (value IN (-1, 1)),
  PRIMARY KEY (comment_id, voter_id)
);
CREATE TABLE reactions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL DEFAULT requesting_user_id(),
  subject_type text NOT NULL CHECK (subject_type IN ('post', 'comment')),
  subject_id bigint NOT NULL,
  emoji text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE bookmark_collections (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL DEFAULT requesting_user_id(),
  name text NOT NULL,
  is_public boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE bookmarks (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL DEFAULT requesting_user_id(),
  post_id bigint NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
  collection_id bigint REFERENCES bookmark_collections (id) ON DELETE SET NULL,
  note text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE shares (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  post_id bigint NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
  shared_by uuid NOT NULL REFERENCES profiles (id),
  slug text NOT NULL UNIQUE,
  password text,
  view_count integer NOT NULL DEFAULT 0,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE polls (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  post_id bigint NOT NULL UNIQUE REFERENCES posts (id) ON DELETE CASCADE,
  question text NOT NULL,
  allows_multiple boolean NOT NULL DEFAULT false,
  closes_at timestamptz
);
CREATE TABLE poll_options (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  poll_id bigint NOT NULL REFERENCES polls (id) ON DELETE CASCADE,
  label text NOT NULL,
  vote_count integer NOT NULL DEFAULT 0,
  sort_order smallint NOT NULL
);
CREATE TABLE poll_votes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  option_id bigint NOT NULL REFERENCES poll_options (id) ON DELETE CASCADE,
  voter_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  voted_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE events (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  organizer_id uuid NOT NULL REFERENCES profiles (id),
  title text NOT NULL,
  description text,
  location_name text,
  latitude double precision,
  longitude double precision,
  is_online boolean NOT NULL DEFAULT false,
  meeting_url text,
  capacity integer,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz,
  cancelled_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE event_rsvps (
  event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  profile_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  status rsvp_status NOT NULL,
  guests smallint NOT NULL DEFAULT 0,
  responded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_id, profile_id)
);
CREATE TABLE event_hosts (
  event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  profile_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  PRIMARY KEY (event_id, profile_id)
);
CREATE TABLE conversations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  is_group boolean NOT NULL DEFAULT false,
  title text,
  created_by text NOT NULL DEFAULT requesting_user_id(),
  last_message_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE conversation_participants (
  conversation_id uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  user_id text NOT NULL,
  last_read_at timestamptz,
  is_muted boolean NOT NULL DEFAULT false,
  joined_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (conversation_id, user_id)
);
CREATE TABLE messages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  conversation_id uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
  sender_id text NOT NULL DEFAULT requesting_user_id(),
  reply_to_id bigint REFERENCES messages (id) ON DELETE SET NULL,
  body text,
  attachments jsonb NOT NULL DEFAULT '[]',
  edited_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE message_receipts (
  message_id bigint NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
  user_id text NOT NULL,
  delivered_at timestamptz,
  read_at timestamptz,
  PRIMARY KEY (message_id, user_id)
);
CREATE TABLE message_reactions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id bigint NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
  user_id text NOT NULL,
  emoji text NOT NULL
);
CREATE TABLE channel_messages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel_id bigint NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
  sender_id text NOT NULL DEFAULT requesting_user_id(),
  thread_id bigint REFERENCES channel_messages (id) ON DELETE CASCADE,
  content text NOT NULL,
  mentions text[] NOT NULL DEFAULT '{}',
  is_pinned boolean NOT NULL DEFAULT false,
  sent_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE notifications (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  recipient_id text NOT NULL,
  actor_id text,
  type text NOT NULL CHECK (type IN ('like', 'reply', 'mention', 'follow', 'invite')),
  post_id bigint REFERENCES posts (id) ON DELETE CASCADE,
  comment_id bigint REFERENCES comments (id) ON DELETE CASCADE,
  data jsonb,
  is_read boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE notification_preferences (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  channel text NOT NULL CHECK (channel IN ('email', 'push', 'in_app')),
  event_type text NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  UNIQUE (user_id, channel, event_type)
);
CREATE TABLE push_subscriptions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  endpoint text NOT NULL UNIQUE,
  p256dh text NOT NULL,
  auth_secret text NOT NULL,
  user_agent text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE devices (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id text NOT NULL,
  platform text NOT NULL CHECK (platform IN ('ios', 'android', 'web')),
  device_name text,
  app_version text,
  last_active_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE reports (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  reporter_id uuid NOT NULL REFERENCES profiles (id),
  reported_user_id uuid REFERENCES profiles (id),
  post_id bigint REFERENCES posts (id) ON DELETE CASCADE,
  reason text NOT NULL,
  details text,
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in_review', 'resolved')),
  resolved_by uuid REFERENCES profiles (id),
  resolved_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE moderation_actions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  moderator_id uuid NOT NULL REFERENCES profiles (id),
  target_profile_id uuid NOT NULL REFERENCES profiles (id),
  action text NOT NULL CHECK (action IN ('warn', 'mute', 'kick', 'ban')),
  notes text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  actor_id text,
  action text NOT NULL,
  entity_type text NOT NULL,
  entity_id text NOT NULL,
  changes jsonb,
  ip_address inet,
  occurred_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE badges (
  id integer PRIMARY KEY,
  slug text NOT NULL UNIQUE,
  name text NOT NULL,
  description text NOT NULL,
  icon_url text,
  tier text NOT NULL CHECK (tier IN ('bronze', 'silver', 'gold'))
);
CREATE TABLE user_badges (
  badge_id integer NOT NULL REFERENCES badges (id),
  profile_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  awarded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (badge_id, profile_id)
);
CREATE TABLE points_ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  profile_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  delta integer NOT NULL,
  balance_after integer NOT NULL,
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE drafts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  author_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  community_id bigint REFERENCES communities (id),
  title text,
  content text,
  saved_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE media_uploads (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  uploader_id text NOT NULL DEFAULT requesting_user_id(),
  storage_path text NOT NULL,
  mime_type text NOT NULL,
  size_bytes bigint NOT NULL,
  checksum text,
  uploaded_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE oauth_connections (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  provider text NOT NULL,
  provider_account_id text NOT NULL,
  access_token text,
  refresh_token text,
  token_expires_at timestamptz,
  scopes text[] NOT NULL DEFAULT '{}',
  connected_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE api_tokens (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id text NOT NULL,
  name text NOT NULL,
  token_hash text NOT NULL,
  last_four text NOT NULL,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE webhooks (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  community_id bigint NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
  url text NOT NULL,
  secret text NOT NULL,
  event_types text[] NOT NULL DEFAULT '{}',
  is_active boolean NOT NULL DEFAULT true,
  failure_count integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE email_digests (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  frequency text NOT NULL DEFAULT 'weekly' CHECK (frequency IN ('daily', 'weekly', 'monthly')),
  last_sent_at timestamptz,
  next_send_at timestamptz NOT NULL
);
CREATE TABLE search_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  query text NOT NULL,
  result_count integer,
  searched_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE waitlist (
  email text NOT NULL,
  referral_source text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE feature_flags (
  key text PRIMARY KEY,
  enabled boolean NOT NULL DEFAULT false,
  rollout_percentage integer NOT NULL DEFAULT 0,
  description text,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE VIEW trending_tags AS
  SELECT id, name, usage_count FROM tags WHERE usage_count > 1;
