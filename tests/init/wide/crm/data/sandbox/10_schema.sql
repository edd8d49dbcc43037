-- A CRM with billing and support, each in a schema of its own; support was made with Prisma.
CREATE SCHEMA billing;
CREATE SCHEMA support;
CREATE TYPE deal_stage AS ENUM ('new', 'qualified', 'proposal_sent', 'negotiation', 'closed_won', 'closed_lost');
CREATE TYPE billing.invoice_status AS ENUM ('draft', 'open', 'paid', 'void', 'uncollectible');
CREATE TYPE support."TicketStatus" AS ENUM ('OPEN', 'PENDING', 'SOLVED', 'CLOSED');

CREATE TABLE organizations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  slug text NOT NULL UNIQUE,
  logo_url text,
  plan_tier text NOT NULL DEFAULT 'free' CHECK (plan_tier IN ('free', 'team', 'business')),
  seat_limit integer NOT NULL DEFAULT 3,
  default_currency char(3) NOT NULL DEFAULT 'EUR',
  time_zone text NOT NULL DEFAULT 'UTC',
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE users (
  id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
  email text NOT NULL UNIQUE,
  first_name text NOT NULL,
  last_name text,
  avatar_url text,
  phone text,
  job_title text,
  is_active boolean NOT NULL DEFAULT true,
  last_login_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE organization_members (
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member', 'read_only')),
  invited_by uuid REFERENCES users (id),
  joined_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organization_id, user_id)
);
CREATE TABLE invitations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  email text NOT NULL,
  role text NOT NULL DEFAULT 'member',
  token_hash text NOT NULL,
  invited_by uuid NOT NULL REFERENCES users (id),
  accepted_at timestamptz,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE teams (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name text NOT NULL,
  manager_id uuid REFERENCES users (id),
  color text
);
CREATE TABLE team_members (
  team_id uuid NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (team_id, user_id)
);
CREATE TABLE companies (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name text NOT NULL,
  domain text,
  industry text,
  employee_count integer,
  annual_revenue numeric(14, 2),
  phone_number text,
  website_url text,
  billing_address jsonb,
  owner_id uuid REFERENCES users (id),
  parent_company_id uuid REFERENCES companies (id),
  linkedin_url text,
  archived_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE contacts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  company_id uuid REFERENCES companies (id) ON DELETE SET NULL,
  owner_id uuid REFERENCES users (id),
  first_name text NOT NULL,
  last_name text NOT NULL,
  email text,
  mobile_phone text,
  job_title text,
  lead_source text,
  lead_score integer DEFAULT 0,
  do_not_contact boolean NOT NULL DEFAULT false,
  birthday date,
  custom_fields jsonb NOT NULL DEFAULT '{}',
  last_contacted_at timestamptz,
  created_by uuid REFERENCES users (id),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE contact_addresses (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('home', 'work', 'shipping')),
  street text NOT NULL,
  street2 text,
  city text NOT NULL,
  postal_code text,
  country_code char(2) NOT NULL,
  is_primary boolean NOT NULL DEFAULT false
);
CREATE TABLE pipelines (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name text NOT NULL,
  is_default boolean NOT NULL DEFAULT false,
  sort_order integer NOT NULL DEFAULT 0
);
CREATE TABLE pipeline_stages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline_id bigint NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
  name text NOT NULL,
  win_probability numeric(5, 2) NOT NULL DEFAULT 0,
  sort_order integer NOT NULL
);
CREATE TABLE deals (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  company_id uuid REFERENCES companies (id),
  primary_contact_id uuid REFERENCES contacts (id),
  pipeline_stage_id bigint NOT NULL REFERENCES pipeline_stages (id),
  owner_id uuid NOT NULL REFERENCES users (id),
  title text NOT NULL,
  stage deal_stage NOT NULL DEFAULT 'new',
  amount_cents bigint NOT NULL DEFAULT 0,
  currency char(3) NOT NULL DEFAULT 'EUR',
  expected_close_date date,
  closed_at timestamptz,
  lost_reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE deal_contacts (
  deal_id uuid NOT NULL REFERENCES deals (id) ON DELETE CASCADE,
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  role_in_deal text,
  PRIMARY KEY (deal_id, contact_id)
);
CREATE TABLE deal_stage_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deal_id uuid NOT NULL REFERENCES deals (id) ON DELETE CASCADE,
  from_stage deal_stage,
  to_stage deal_stage NOT NULL,
  changed_by uuid REFERENCES users (id),
  changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE activities (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  deal_id uuid REFERENCES deals (id) ON DELETE CASCADE,
  contact_id uuid REFERENCES contacts (id) ON DELETE CASCADE,
  activity_type text NOT NULL CHECK (activity_type IN ('call', 'email', 'meeting', 'task')),
  subject text NOT NULL,
  notes text,
  due_at timestamptz,
  completed_at timestamptz,
  assigned_to uuid REFERENCES users (id),
  created_by uuid NOT NULL REFERENCES users (id),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE events (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  title text NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  all_day boolean NOT NULL DEFAULT false,
  location text,
  host_id uuid NOT NULL REFERENCES users (id)
);
CREATE TABLE event_attendees (
  event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  response text NOT NULL DEFAULT 'pending' CHECK (response IN ('pending', 'accepted', 'declined')),
  PRIMARY KEY (event_id, contact_id)
);
CREATE TABLE notes (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  noteable_type text NOT NULL CHECK (noteable_type IN ('contact', 'company', 'deal')),
  noteable_id uuid NOT NULL,
  body text NOT NULL,
  author_id uuid NOT NULL REFERENCES users (id),
  is_pinned boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE tags (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name text NOT NULL,
  color text
);
CREATE TABLE contact_tags (
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  tag_id bigint NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
  PRIMARY KEY (contact_id, tag_id)
);
CREATE TABLE email_templates (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name text NOT NULL,
  subject_line text NOT NULL,
  html_body text NOT NULL,
  created_by uuid REFERENCES users (id),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE email_messages (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  template_id uuid REFERENCES email_templates (id),
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  sent_by uuid REFERENCES users (id),
  from_address text NOT NULL,
  to_address text NOT NULL,
  subject text NOT NULL,
  body_html text NOT NULL,
  open_count integer NOT NULL DEFAULT 0,
  opened_at timestamptz,
  bounced_at timestamptz,
  sent_at timestamptz
);
CREATE TABLE call_logs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users (id),
  direction text NOT NULL CHECK (direction IN ('inbound', 'outbound')),
  duration_seconds integer,
  recording_url text,
  outcome text,
  called_at timestamptz NOT NULL
);
CREATE TABLE attachments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  deal_id uuid REFERENCES deals (id) ON DELETE CASCADE,
  file_name text NOT NULL,
  file_size bigint NOT NULL,
  mime_type text NOT NULL,
  storage_path text NOT NULL,
  uploaded_by uuid REFERENCES users (id),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE custom_field_definitions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  entity_type text NOT NULL CHECK (entity_type IN ('contact', 'company', 'deal')),
  field_key text NOT NULL,
  label text NOT NULL,
  data_type text NOT NULL CHECK (data_type IN ('text', 'number', 'date', 'select')),
  options text[],
  is_required boolean NOT NULL DEFAULT false,
  UNIQUE (organization_id, entity_type, field_key)
);
CREATE TABLE saved_views (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  entity_type text NOT NULL,
  name text NOT NULL,
  filters jsonb NOT NULL DEFAULT '[]',
  is_shared boolean NOT NULL DEFAULT false
);
CREATE TABLE lead_forms (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  title text NOT NULL,
  fields jsonb NOT NULL,
  redirect_url text,
  submission_count integer NOT NULL DEFAULT 0,
  published_at timestamptz
);
CREATE TABLE form_submissions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  form_id uuid NOT NULL REFERENCES lead_forms (id) ON DELETE CASCADE,
  contact_id uuid REFERENCES contacts (id),
  payload jsonb NOT NULL,
  ip_address inet,
  submitted_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE workflows (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name text NOT NULL,
  trigger_event text NOT NULL,
  steps jsonb NOT NULL DEFAULT '[]',
  is_enabled boolean NOT NULL DEFAULT false,
  run_count integer NOT NULL DEFAULT 0,
  updated_at timestamptz
);
CREATE TABLE workflow_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workflow_id uuid NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
  status text NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed')),
  error_message text,
  started_at timestamptz,
  finished_at timestamptz
);
CREATE TABLE integrations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  provider text NOT NULL,
  api_key text,
  refresh_token text,
  config jsonb NOT NULL DEFAULT '{}',
  last_synced_at timestamptz,
  connected_by uuid REFERENCES users (id),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  actor_user_id uuid REFERENCES users (id),
  event_name text NOT NULL,
  resource_type text NOT NULL,
  resource_id text NOT NULL,
  metadata jsonb,
  occurred_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE exchange_rates (
  base_currency char(3) NOT NULL,
  quote_currency char(3) NOT NULL,
  rate numeric(18, 8) NOT NULL,
  rate_date date NOT NULL,
  PRIMARY KEY (base_currency, quote_currency, rate_date)
);

-- ── billing ─────────────────────────────────────────────────────────────────────────────────
CREATE TABLE billing.customers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL UNIQUE REFERENCES public.organizations (id),
  stripe_customer_id text NOT NULL UNIQUE,
  billing_email text NOT NULL,
  tax_id text,
  balance_cents bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE billing.products (
  id text PRIMARY KEY,
  name text NOT NULL,
  description text,
  is_active boolean NOT NULL DEFAULT true
);
CREATE TABLE billing.prices (
  id text PRIMARY KEY,
  product_id text NOT NULL REFERENCES billing.products (id),
  unit_amount bigint NOT NULL,
  currency char(3) NOT NULL,
  billing_interval text CHECK (billing_interval IN ('month', 'year')),
  trial_period_days integer,
  is_active boolean NOT NULL DEFAULT true
);
CREATE TABLE billing.subscriptions (
  id text PRIMARY KEY,
  customer_id uuid NOT NULL REFERENCES billing.customers (id),
  price_id text NOT NULL REFERENCES billing.prices (id),
  status text NOT NULL CHECK (status IN ('trialing', 'active', 'past_due', 'canceled')),
  quantity integer NOT NULL DEFAULT 1,
  cancel_at_period_end boolean NOT NULL DEFAULT false,
  current_period_start timestamptz NOT NULL,
  current_period_end timestamptz NOT NULL,
  trial_ends_at timestamptz,
  canceled_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE billing.invoices (
  id text PRIMARY KEY,
  customer_id uuid NOT NULL REFERENCES billing.customers (id),
  subscription_id text REFERENCES billing.subscriptions (id),
  invoice_number text UNIQUE,
  status billing.invoice_status NOT NULL DEFAULT 'draft',
  subtotal_cents bigint NOT NULL,
  tax_cents bigint NOT NULL DEFAULT 0,
  total_cents bigint NOT NULL,
  currency char(3) NOT NULL,
  hosted_invoice_url text,
  due_date date,
  paid_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE billing.invoice_items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  invoice_id text NOT NULL REFERENCES billing.invoices (id) ON DELETE CASCADE,
  price_id text REFERENCES billing.prices (id),
  description text NOT NULL,
  quantity integer NOT NULL DEFAULT 1,
  unit_amount_cents bigint NOT NULL,
  amount_cents bigint NOT NULL
);
CREATE TABLE billing.payments (
  id text PRIMARY KEY,
  invoice_id text NOT NULL REFERENCES billing.invoices (id),
  payment_method_id text,
  amount_cents bigint NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed', 'refunded')),
  failure_code text,
  received_at timestamptz
);
CREATE TABLE billing.payment_methods (
  id text PRIMARY KEY,
  customer_id uuid NOT NULL REFERENCES billing.customers (id),
  card_brand text,
  card_last4 char(4),
  exp_month smallint,
  exp_year smallint,
  is_default boolean NOT NULL DEFAULT false
);
CREATE TABLE billing.refunds (
  id text PRIMARY KEY,
  payment_id text NOT NULL REFERENCES billing.payments (id),
  amount_cents bigint NOT NULL,
  reason text,
  refunded_by uuid REFERENCES public.users (id),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE billing.coupons (
  code text PRIMARY KEY,
  percent_off numeric(5, 2),
  amount_off_cents bigint,
  max_redemptions integer,
  times_redeemed integer NOT NULL DEFAULT 0,
  redeem_by timestamptz
);
CREATE TABLE billing.coupon_redemptions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  coupon_code text NOT NULL REFERENCES billing.coupons (code),
  customer_id uuid NOT NULL REFERENCES billing.customers (id),
  redeemed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE billing.usage_records (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subscription_id text NOT NULL REFERENCES billing.subscriptions (id),
  metric text NOT NULL,
  quantity bigint NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE billing.events (
  id text PRIMARY KEY,
  event_type text NOT NULL,
  payload jsonb NOT NULL,
  processed_at timestamptz,
  processing_error text,
  received_at timestamptz NOT NULL DEFAULT now()
);

-- ── support ─────────────────────────────────────────────────────────────────────────────────
CREATE TABLE support."Inbox" (
  id text PRIMARY KEY,
  "organizationId" uuid NOT NULL REFERENCES public.organizations (id),
  name text NOT NULL,
  "emailAddress" text NOT NULL,
  "isDefault" boolean NOT NULL DEFAULT false
);
CREATE TABLE support."Ticket" (
  id text PRIMARY KEY,
  "inboxId" text NOT NULL REFERENCES support."Inbox" (id),
  number integer NOT NULL UNIQUE,
  subject text NOT NULL,
  status support."TicketStatus" NOT NULL DEFAULT 'OPEN',
  priority integer NOT NULL DEFAULT 2 CHECK (priority IN (1, 2, 3)),
  "requesterId" uuid NOT NULL REFERENCES public.contacts (id),
  "assigneeId" uuid REFERENCES public.users (id),
  "firstResponseAt" timestamp(3),
  "solvedAt" timestamp(3),
  "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt" timestamp(3) NOT NULL
);
CREATE TABLE support."TicketMessage" (
  id text PRIMARY KEY,
  "ticketId" text NOT NULL REFERENCES support."Ticket" (id) ON DELETE CASCADE,
  "authorUserId" uuid REFERENCES public.users (id),
  "authorContactId" uuid REFERENCES public.contacts (id),
  body text NOT NULL,
  "isInternal" boolean NOT NULL DEFAULT false,
  "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE support."Tag" (id text PRIMARY KEY, name text NOT NULL UNIQUE, "hexColor" text);
CREATE TABLE support."_TagToTicket" (
  "A" text NOT NULL REFERENCES support."Tag" (id) ON DELETE CASCADE,
  "B" text NOT NULL REFERENCES support."Ticket" (id) ON DELETE CASCADE,
  UNIQUE ("A", "B")
);
CREATE TABLE support."CannedResponse" (
  id text PRIMARY KEY,
  title text NOT NULL,
  content text NOT NULL,
  "createdById" uuid NOT NULL REFERENCES public.users (id),
  "usageCount" integer NOT NULL DEFAULT 0
);
CREATE TABLE support."SatisfactionRating" (
  id text PRIMARY KEY,
  "ticketId" text NOT NULL UNIQUE REFERENCES support."Ticket" (id) ON DELETE CASCADE,
  score integer NOT NULL,
  comment text,
  "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE support."SlaPolicy" (
  id text PRIMARY KEY,
  name text NOT NULL,
  "firstResponseMinutes" integer NOT NULL,
  "resolutionMinutes" integer NOT NULL,
  "businessHoursOnly" boolean NOT NULL DEFAULT true
);
CREATE VIEW support.open_tickets AS
  SELECT id, subject, priority FROM support."Ticket" WHERE status = 'OPEN';
