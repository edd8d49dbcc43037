-- A shop with a CMS of its own: integer keys, Supabase Auth, and one row of settings a shop.
CREATE TYPE order_state AS ENUM ('cart', 'placed', 'paid', 'fulfilled', 'cancelled', 'refunded');
CREATE TYPE page_status AS ENUM ('draft', 'scheduled', 'live');

CREATE TABLE profiles (
  id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
  display_name text NOT NULL,
  avatar_url text,
  role text NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'editor', 'manager')),
  marketing_opt_in boolean NOT NULL DEFAULT false,
  loyalty_points integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE addresses (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  recipient_name text NOT NULL,
  address_line1 text NOT NULL,
  address_line2 text,
  city text NOT NULL,
  state_province text,
  postal_code text NOT NULL,
  country_code text NOT NULL,
  phone text,
  is_default boolean NOT NULL DEFAULT false
);
CREATE TABLE store_settings (
  id integer PRIMARY KEY,
  store_name text NOT NULL,
  store_tagline text,
  legal_name text,
  contact_email text NOT NULL,
  support_email text,
  support_phone text,
  address_street text,
  address_city text,
  address_postal_code text,
  address_country text,
  vat_number text,
  company_registration_number text,
  primary_domain text NOT NULL,
  logo_url text,
  logo_dark_url text,
  favicon_url text,
  og_image_url text,
  primary_color text NOT NULL DEFAULT '#000000',
  secondary_color text NOT NULL DEFAULT '#ffffff',
  accent_color text,
  heading_font text NOT NULL DEFAULT 'Inter',
  body_font text NOT NULL DEFAULT 'Inter',
  theme_mode text NOT NULL DEFAULT 'light' CHECK (theme_mode IN ('light', 'dark', 'auto')),
  custom_css text,
  header_layout text NOT NULL DEFAULT 'centered',
  footer_text text,
  default_currency text NOT NULL DEFAULT 'EUR',
  supported_currencies text[] NOT NULL DEFAULT '{EUR}',
  default_locale text NOT NULL DEFAULT 'en',
  supported_locales text[] NOT NULL DEFAULT '{en}',
  time_zone text NOT NULL DEFAULT 'UTC',
  date_format text NOT NULL DEFAULT 'YYYY-MM-DD',
  weight_unit text NOT NULL DEFAULT 'kg' CHECK (weight_unit IN ('kg', 'g', 'lb', 'oz')),
  prices_include_tax boolean NOT NULL DEFAULT true,
  default_tax_rate numeric(5, 2) NOT NULL DEFAULT 0,
  tax_calculation_method text NOT NULL DEFAULT 'line' CHECK (tax_calculation_method IN ('line', 'total')),
  checkout_guest_allowed boolean NOT NULL DEFAULT true,
  checkout_phone_required boolean NOT NULL DEFAULT false,
  checkout_company_field boolean NOT NULL DEFAULT false,
  checkout_terms_url text,
  min_order_amount numeric(10, 2),
  max_order_amount numeric(10, 2),
  free_shipping_threshold numeric(10, 2),
  order_number_prefix text NOT NULL DEFAULT '#',
  next_order_number integer NOT NULL DEFAULT 1000,
  invoice_number_prefix text,
  next_invoice_number integer NOT NULL DEFAULT 1,
  inventory_tracking_enabled boolean NOT NULL DEFAULT true,
  low_stock_threshold integer NOT NULL DEFAULT 5,
  allow_backorders boolean NOT NULL DEFAULT false,
  hide_out_of_stock boolean DEFAULT false,
  reviews_enabled boolean NOT NULL DEFAULT true,
  reviews_require_approval boolean NOT NULL DEFAULT true,
  wishlist_enabled boolean NOT NULL DEFAULT true,
  gift_cards_enabled boolean NOT NULL DEFAULT false,
  loyalty_enabled boolean NOT NULL DEFAULT false,
  loyalty_points_per_unit integer NOT NULL DEFAULT 1,
  newsletter_provider text,
  newsletter_list_id text,
  smtp_host text,
  smtp_port integer,
  smtp_username text,
  smtp_password text,
  email_from_name text,
  email_from_address text,
  stripe_publishable_key text,
  stripe_secret_key text,
  stripe_webhook_secret text,
  paypal_client_id text,
  google_analytics_id text,
  facebook_pixel_id text,
  cookie_banner_enabled boolean NOT NULL DEFAULT true,
  cookie_policy_url text,
  privacy_policy_url text,
  return_window_days integer NOT NULL DEFAULT 30,
  social_links jsonb NOT NULL DEFAULT '{}',
  maintenance_mode boolean NOT NULL DEFAULT false,
  maintenance_message text,
  seo_title_template text,
  seo_description text,
  robots_txt text,
  updated_by uuid REFERENCES profiles (id),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE media_assets (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  file_path text NOT NULL,
  file_name text NOT NULL,
  mime_type text NOT NULL,
  file_size_bytes bigint NOT NULL,
  width integer,
  height integer,
  alt_text text,
  uploaded_by uuid REFERENCES profiles (id),
  uploaded_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE categories (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  parent_category_id bigint REFERENCES categories (id) ON DELETE SET NULL,
  name text NOT NULL,
  slug text NOT NULL UNIQUE,
  description text,
  cover_image_id bigint REFERENCES media_assets (id),
  sort_order integer NOT NULL DEFAULT 0,
  is_visible boolean NOT NULL DEFAULT true
);
CREATE TABLE brands (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  logo_url text,
  website_url text,
  country_of_origin text
);
CREATE TABLE products (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  brand_id bigint REFERENCES brands (id),
  category_id bigint NOT NULL REFERENCES categories (id),
  title text NOT NULL,
  slug text NOT NULL UNIQUE,
  subtitle text,
  description_html text,
  price numeric(10, 2) NOT NULL,
  compare_at_price numeric(10, 2),
  cost_price numeric(10, 2),
  weight_grams integer,
  status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'archived')),
  is_featured boolean NOT NULL DEFAULT false,
  tags text[] NOT NULL DEFAULT '{}',
  rating_average numeric(3, 2),
  rating_count integer NOT NULL DEFAULT 0,
  meta_title text,
  meta_description text,
  attributes jsonb NOT NULL DEFAULT '{}',
  published_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz,
  deleted_at timestamptz
);
CREATE TABLE product_variants (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product_id bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  sku text NOT NULL UNIQUE,
  barcode text,
  option_values jsonb NOT NULL DEFAULT '{}',
  price_override numeric(10, 2),
  stock_quantity integer NOT NULL DEFAULT 0,
  position integer NOT NULL DEFAULT 0
);
CREATE TABLE product_images (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product_id bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  media_asset_id bigint NOT NULL REFERENCES media_assets (id),
  caption text,
  position integer NOT NULL DEFAULT 0
);
CREATE TABLE product_relations (
  product_id bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  related_product_id bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  relation_type text NOT NULL CHECK (relation_type IN ('upsell', 'cross_sell', 'similar')),
  PRIMARY KEY (product_id, related_product_id)
);
CREATE TABLE collections (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title text NOT NULL,
  handle text NOT NULL UNIQUE,
  rules jsonb,
  is_automatic boolean NOT NULL DEFAULT false,
  starts_at timestamptz,
  ends_at timestamptz
);
CREATE TABLE collection_products (
  collection_id bigint NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  product_id bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  position integer NOT NULL DEFAULT 0,
  PRIMARY KEY (collection_id, product_id)
);
CREATE TABLE warehouses (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code text NOT NULL UNIQUE,
  name text NOT NULL,
  latitude double precision,
  longitude double precision,
  is_active boolean NOT NULL DEFAULT true
);
CREATE TABLE inventory_levels (
  variant_id bigint NOT NULL REFERENCES product_variants (id) ON DELETE CASCADE,
  warehouse_id bigint NOT NULL REFERENCES warehouses (id),
  on_hand integer NOT NULL DEFAULT 0,
  reserved integer NOT NULL DEFAULT 0,
  reorder_point integer,
  counted_at timestamptz,
  PRIMARY KEY (variant_id, warehouse_id)
);
CREATE TABLE stock_movements (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  variant_id bigint NOT NULL REFERENCES product_variants (id),
  from_warehouse_id bigint REFERENCES warehouses (id),
  to_warehouse_id bigint REFERENCES warehouses (id),
  quantity integer NOT NULL,
  reason text NOT NULL,
  moved_by uuid REFERENCES profiles (id),
  moved_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE carts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid REFERENCES auth.users (id),
  session_id text,
  currency text NOT NULL DEFAULT 'EUR',
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE cart_items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  cart_id uuid NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
  variant_id bigint NOT NULL REFERENCES product_variants (id),
  quantity integer NOT NULL DEFAULT 1,
  added_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE discounts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code text NOT NULL UNIQUE,
  discount_type text NOT NULL CHECK (discount_type IN ('percentage', 'fixed_amount', 'free_shipping')),
  value numeric(10, 2) NOT NULL,
  minimum_subtotal numeric(10, 2),
  usage_limit integer,
  used_count integer NOT NULL DEFAULT 0,
  valid_from timestamptz NOT NULL,
  valid_until timestamptz
);
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_number text NOT NULL UNIQUE,
  customer_id uuid REFERENCES profiles (id),
  customer_email text NOT NULL,
  state order_state NOT NULL DEFAULT 'cart',
  shipping_address_id bigint REFERENCES addresses (id),
  billing_address_id bigint REFERENCES addresses (id),
  discount_id bigint REFERENCES discounts (id),
  subtotal numeric(12, 2) NOT NULL,
  discount_total numeric(12, 2) NOT NULL DEFAULT 0,
  shipping_total numeric(12, 2) NOT NULL DEFAULT 0,
  tax_total numeric(12, 2) NOT NULL DEFAULT 0,
  grand_total numeric(12, 2) NOT NULL,
  currency text NOT NULL,
  customer_note text,
  internal_note text,
  placed_at timestamptz,
  cancelled_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE order_items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
  variant_id bigint REFERENCES product_variants (id) ON DELETE SET NULL,
  product_title text NOT NULL,
  sku text NOT NULL,
  quantity integer NOT NULL,
  unit_price numeric(10, 2) NOT NULL,
  line_total numeric(12, 2) NOT NULL
);
CREATE TABLE order_events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
  event text NOT NULL,
  details jsonb,
  actor_id uuid REFERENCES profiles (id),
  happened_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE payments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES orders (id),
  provider text NOT NULL CHECK (provider IN ('stripe', 'paypal', 'bank_transfer')),
  provider_reference text UNIQUE,
  amount numeric(12, 2) NOT NULL,
  currency text NOT NULL,
  status text NOT NULL DEFAULT 'pending',
  captured_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE refunds (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  payment_id bigint NOT NULL REFERENCES payments (id),
  amount numeric(12, 2) NOT NULL,
  reason text,
  processed_by uuid REFERENCES profiles (id),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE shipping_zones (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  country_codes text[] NOT NULL
);
CREATE TABLE shipping_rates (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  zone_id bigint NOT NULL REFERENCES shipping_zones (id) ON DELETE CASCADE,
  name text NOT NULL,
  price numeric(10, 2) NOT NULL,
  min_weight_grams integer,
  max_weight_grams integer,
  estimated_days int4range
);
CREATE TABLE shipments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES orders (id),
  warehouse_id bigint REFERENCES warehouses (id),
  carrier text NOT NULL,
  tracking_number text,
  shipped_at timestamptz,
  delivered_at timestamptz
);
CREATE TABLE returns (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_item_id bigint NOT NULL REFERENCES order_items (id),
  quantity integer NOT NULL,
  reason text NOT NULL,
  status text NOT NULL DEFAULT 'requested' CHECK (status IN ('requested', 'received', 'rejected')),
  requested_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE tax_rates (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  country_code text NOT NULL,
  region text,
  rate numeric(5, 2) NOT NULL,
  applies_to_shipping boolean NOT NULL DEFAULT false
);
CREATE TABLE gift_cards (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code_hash text NOT NULL UNIQUE,
  last_characters text NOT NULL,
  initial_balance numeric(10, 2) NOT NULL,
  current_balance numeric(10, 2) NOT NULL,
  issued_to uuid REFERENCES profiles (id),
  expires_on date
);
CREATE TABLE wishlists (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  name text NOT NULL DEFAULT 'Wishlist',
  share_token text UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE wishlist_items (
  wishlist_id bigint NOT NULL REFERENCES wishlists (id) ON DELETE CASCADE,
  product_id bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  added_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (wishlist_id, product_id)
);
CREATE TABLE reviews (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product_id bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  reviewer_id uuid REFERENCES profiles (id) ON DELETE SET NULL,
  rating smallint NOT NULL CHECK (rating IN (1, 2, 3, 4, 5)),
  headline text,
  body text NOT NULL,
  is_approved boolean NOT NULL DEFAULT false,
  helpful_count integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE review_replies (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  review_id bigint NOT NULL REFERENCES reviews (id) ON DELETE CASCADE,
  author_id uuid NOT NULL REFERENCES profiles (id),
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE questions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product_id bigint NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  asked_by uuid REFERENCES profiles (id),
  question_text text NOT NULL,
  answer_text text,
  answered_by uuid REFERENCES profiles (id),
  answered_at timestamptz
);
CREATE TABLE pages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  parent_id bigint REFERENCES pages (id),
  title text NOT NULL,
  path text NOT NULL UNIQUE,
  template_name text NOT NULL DEFAULT 'default',
  status page_status NOT NULL DEFAULT 'draft',
  content_blocks jsonb NOT NULL DEFAULT '[]',
  seo_title text,
  seo_description text,
  author_id uuid NOT NULL REFERENCES profiles (id),
  publish_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz
);
CREATE TABLE page_revisions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  page_id bigint NOT NULL REFERENCES pages (id) ON DELETE CASCADE,
  revision_number integer NOT NULL,
  snapshot jsonb NOT NULL,
  edited_by uuid NOT NULL REFERENCES profiles (id),
  edited_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE blog_posts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title text NOT NULL,
  slug text NOT NULL UNIQUE,
  excerpt text,
  body_markdown text NOT NULL,
  hero_image_id bigint REFERENCES media_assets (id),
  author_id uuid NOT NULL REFERENCES profiles (id),
  reviewer_id uuid REFERENCES profiles (id),
  reading_minutes smallint,
  is_published boolean NOT NULL DEFAULT false,
  published_on date,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE blog_comments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  blog_post_id bigint NOT NULL REFERENCES blog_posts (id) ON DELETE CASCADE,
  commenter_name text NOT NULL,
  commenter_email text NOT NULL,
  content text NOT NULL,
  is_spam boolean NOT NULL DEFAULT false,
  ip_address inet,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE menus (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, location text NOT NULL);
CREATE TABLE menu_items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  menu_id bigint NOT NULL REFERENCES menus (id) ON DELETE CASCADE,
  parent_item_id bigint REFERENCES menu_items (id) ON DELETE CASCADE,
  label text NOT NULL,
  link_url text,
  page_id bigint REFERENCES pages (id),
  opens_new_tab boolean NOT NULL DEFAULT false,
  sort_order integer NOT NULL DEFAULT 0
);
CREATE TABLE redirects (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source_path text NOT NULL UNIQUE,
  target_path text NOT NULL,
  http_status smallint NOT NULL DEFAULT 301 CHECK (http_status IN (301, 302)),
  hit_count integer NOT NULL DEFAULT 0
);
CREATE TABLE banners (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  headline text NOT NULL,
  body_text text,
  button_label text,
  button_url text,
  background_image_id bigint REFERENCES media_assets (id),
  is_active boolean NOT NULL DEFAULT false,
  show_from timestamptz,
  show_until timestamptz
);
CREATE TABLE faqs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  question text NOT NULL,
  answer text NOT NULL,
  category text,
  display_order integer NOT NULL DEFAULT 0
);
CREATE TABLE newsletter_subscribers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE,
  confirmed_at timestamptz,
  unsubscribed_at timestamptz,
  source text,
  confirmation_token text
);
CREATE TABLE contact_messages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sender_name text NOT NULL,
  sender_email text NOT NULL,
  subject text,
  message text NOT NULL,
  is_handled boolean NOT NULL DEFAULT false,
  handled_by uuid REFERENCES profiles (id),
  received_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE translations (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  locale text NOT NULL,
  namespace text NOT NULL,
  translation_key text NOT NULL,
  translated_text text NOT NULL,
  UNIQUE (locale, namespace, translation_key)
);
CREATE TABLE search_terms (
  term text PRIMARY KEY,
  search_count integer NOT NULL DEFAULT 1,
  result_count integer NOT NULL DEFAULT 0,
  last_searched_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE abandoned_cart_emails (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  cart_id uuid NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
  recipient text NOT NULL,
  sequence_number smallint NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT now(),
  clicked_at timestamptz
);
CREATE TABLE price_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  variant_id bigint NOT NULL REFERENCES product_variants (id) ON DELETE CASCADE,
  old_price numeric(10, 2),
  new_price numeric(10, 2) NOT NULL,
  changed_by uuid REFERENCES profiles (id),
  changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE staff_notes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
  staff_id uuid NOT NULL REFERENCES profiles (id),
  note text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE jobs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  job_name text NOT NULL,
  payload jsonb,
  attempts smallint NOT NULL DEFAULT 0,
  last_error text,
  run_at timestamptz NOT NULL,
  locked_at timestamptz,
  completed_at timestamptz
);
CREATE TABLE daily_sales (
  day date NOT NULL,
  currency text NOT NULL,
  order_count integer NOT NULL,
  gross_revenue numeric(14, 2) NOT NULL,
  refunded_amount numeric(14, 2) NOT NULL DEFAULT 0
);
CREATE VIEW low_stock AS
  SELECT variant_id, sum(on_hand) AS on_hand FROM inventory_levels GROUP BY variant_id;
