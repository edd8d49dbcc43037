-- The tables of the shipped migration, as PostgreSQL has them. Columns in their source's order.
-- Row security is on and no policy opens a row: only roles that bypass it see any.

CREATE TABLE workspaces (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  name varchar(255) NOT NULL,
  slug varchar(100) NOT NULL UNIQUE,
  owner_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  kapso_phone_id varchar(100),
  settings jsonb DEFAULT '{}',
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);

CREATE TABLE contacts (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  phone varchar(50) NOT NULL,
  name varchar(255),
  email varchar(255),
  lead_score integer DEFAULT 0,
  lead_status varchar(50) DEFAULT 'new',
  tags text[] DEFAULT '{}',
  metadata jsonb DEFAULT '{}',
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  assigned_to uuid REFERENCES auth.users (id),
  kapso_name varchar(255),
  kapso_profile_pic text,
  kapso_is_online boolean DEFAULT false,
  kapso_last_seen timestamptz,
  cache_updated_at timestamptz,
  phone_normalized varchar(20),
  UNIQUE (workspace_id, phone)
);

-- The inbox. No part of the migration; here because ari_conversations refers to it.
CREATE TABLE conversations (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE
);

CREATE TABLE ari_conversations (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  conversation_id uuid REFERENCES conversations (id) ON DELETE SET NULL,
  state varchar(50) DEFAULT 'greeting',
  lead_score integer DEFAULT 0,
  lead_temperature varchar(20),
  context jsonb DEFAULT '{}',
  ai_model varchar(50),
  last_ai_message_at timestamptz,
  handoff_at timestamptz,
  handoff_reason text,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  UNIQUE (workspace_id, contact_id)
);

CREATE TABLE ari_destinations (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  country varchar(100) NOT NULL,
  city varchar(100),
  university_name varchar(255) NOT NULL,
  requirements jsonb DEFAULT '{}',
  programs text[] DEFAULT '{}',
  is_promoted boolean DEFAULT false,
  priority integer DEFAULT 0,
  notes text,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  UNIQUE (workspace_id, country, city, university_name)
);

CREATE TABLE ari_payments (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  ari_conversation_id uuid NOT NULL REFERENCES ari_conversations (id) ON DELETE CASCADE,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  amount integer NOT NULL,
  currency varchar(3) DEFAULT 'IDR',
  payment_method varchar(50),
  gateway varchar(50) DEFAULT 'midtrans',
  gateway_transaction_id varchar(255),
  gateway_response jsonb,
  status varchar(50) DEFAULT 'pending',
  expires_at timestamptz,
  paid_at timestamptz,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);

CREATE TABLE ari_appointments (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  ari_conversation_id uuid NOT NULL REFERENCES ari_conversations (id) ON DELETE CASCADE,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  payment_id uuid REFERENCES ari_payments (id) ON DELETE SET NULL,
  consultant_id uuid REFERENCES auth.users (id) ON DELETE SET NULL,
  scheduled_at timestamptz NOT NULL,
  duration_minutes integer DEFAULT 60,
  meeting_link text,
  status varchar(50) DEFAULT 'scheduled',
  reminder_sent_at timestamptz,
  notes text,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);

CREATE TABLE ari_ai_comparison (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  ai_model varchar(50) NOT NULL,
  conversation_count integer DEFAULT 0,
  avg_response_time_ms integer,
  total_tokens_used integer DEFAULT 0,
  conversion_count integer DEFAULT 0,
  satisfaction_score numeric(3,2),
  period_start timestamptz,
  period_end timestamptz,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  UNIQUE (workspace_id, ai_model, period_start)
);

CREATE TABLE ari_flow_stages (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name varchar(100) NOT NULL,
  goal text NOT NULL,
  sample_script text,
  exit_criteria text,
  stage_order integer NOT NULL DEFAULT 0,
  is_active boolean DEFAULT true,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  UNIQUE (workspace_id, stage_order)
);

CREATE TABLE ari_knowledge_categories (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  name varchar(100) NOT NULL,
  description text,
  display_order integer NOT NULL DEFAULT 0,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  UNIQUE (workspace_id, name)
);

CREATE TABLE ari_knowledge_entries (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  category_id uuid REFERENCES ari_knowledge_categories (id) ON DELETE CASCADE,
  title varchar(255) NOT NULL,
  content text NOT NULL,
  is_active boolean DEFAULT true,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);

CREATE TABLE ari_scoring_config (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id uuid NOT NULL UNIQUE REFERENCES workspaces (id) ON DELETE CASCADE,
  hot_threshold integer NOT NULL DEFAULT 70 CHECK (hot_threshold >= 1 AND hot_threshold <= 100),
  warm_threshold integer NOT NULL DEFAULT 40 CHECK (warm_threshold >= 0 AND warm_threshold < 100),
  weight_basic integer NOT NULL DEFAULT 25,
  weight_qualification integer NOT NULL DEFAULT 35,
  weight_document integer NOT NULL DEFAULT 30,
  weight_engagement integer NOT NULL DEFAULT 10,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  CHECK (hot_threshold > warm_threshold),
  CHECK (weight_basic + weight_qualification + weight_document + weight_engagement = 100)
);

CREATE TABLE consultant_slots (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  consultant_id uuid REFERENCES auth.users (id) ON DELETE SET NULL,
  day_of_week integer NOT NULL CHECK (day_of_week >= 0 AND day_of_week <= 6),
  start_time time NOT NULL,
  end_time time NOT NULL,
  duration_minutes integer DEFAULT 60 CHECK (duration_minutes > 0),
  booking_window_days integer DEFAULT 14 CHECK (booking_window_days > 0),
  max_bookings_per_slot integer DEFAULT 1,
  is_active boolean DEFAULT true,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  UNIQUE (workspace_id, consultant_id, day_of_week, start_time),
  CHECK (end_time > start_time)
);

CREATE TABLE articles (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  title varchar(255) NOT NULL,
  slug varchar(100) NOT NULL,
  excerpt text,
  content text,
  cover_image_url text,
  status varchar(20) DEFAULT 'draft',
  published_at timestamptz,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  UNIQUE (workspace_id, slug)
);

CREATE TABLE webinars (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  title varchar(255) NOT NULL,
  slug varchar(100) NOT NULL,
  description text,
  cover_image_url text,
  scheduled_at timestamptz NOT NULL,
  duration_minutes integer DEFAULT 60,
  meeting_url text,
  max_registrations integer,
  status varchar(20) DEFAULT 'draft',
  published_at timestamptz,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now(),
  UNIQUE (workspace_id, slug)
);

CREATE TABLE webinar_registrations (
  id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
  webinar_id uuid NOT NULL REFERENCES webinars (id) ON DELETE CASCADE,
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  registered_at timestamptz DEFAULT now(),
  attended boolean DEFAULT false,
  UNIQUE (webinar_id, contact_id)
);

ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_destinations ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_appointments ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_ai_comparison ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_flow_stages ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_knowledge_categories ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_knowledge_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE ari_scoring_config ENABLE ROW LEVEL SECURITY;
ALTER TABLE consultant_slots ENABLE ROW LEVEL SECURITY;
ALTER TABLE articles ENABLE ROW LEVEL SECURITY;
ALTER TABLE webinars ENABLE ROW LEVEL SECURITY;
ALTER TABLE webinar_registrations ENABLE ROW LEVEL SECURITY;
