INSERT INTO auth.users (id, email, email_confirmed_at, created_at) VALUES
 ('75000000-0000-4000-8000-000000000001', 'nora@example.com', '2021-01-02 00:00:00Z', '2021-01-01 00:00:00Z'), ('75000000-0000-4000-8000-000000000002', 'ed@example.com', NULL, '2021-01-03 00:00:00Z');
INSERT INTO profiles VALUES
 ('75000000-0000-4000-8000-000000000001', 'Nora', 'https://cdn.example.com/nora.png', 'manager', true, 310, '2021-01-04 00:00:00Z', '2022-01-04 00:00:00Z'),
 ('75000000-0000-4000-8000-000000000002', 'Ed', NULL, 'customer', false, 20, '2021-01-05 00:00:00Z', NULL);
INSERT INTO addresses (user_id, recipient_name, address_line1, address_line2, city, state_province, postal_code, country_code, phone, is_default) VALUES
 ('75000000-0000-4000-8000-000000000001', 'Nora Berg', 'Storgata 1', 'c/o Dahl', 'Oslo', 'Viken', '0155', 'NO', '+4790000001', true),
 ('75000000-0000-4000-8000-000000000002', 'Ed Hill', '5 Mill Road', NULL, 'Leeds', NULL, 'LS1 1AA', 'GB', NULL, false);
INSERT INTO store_settings VALUES
 (1, 'Fjord & Co', 'Warm things', 'Fjord & Co AS', 'hello@fjord.example', 'help@fjord.example', '+4720000001', 'Havnegata 2', 'Bergen', '5003', 'NO', 'NO987654321MVA', '987654321', 'fjord.example', 'https://cdn.example.com/logo.svg', 'https://cdn.example.com/logo-dark.svg', 'https://cdn.example.com/favicon.ico', 'https://cdn.example.com/og.jpg', '#102030', '#405060', '#708090', 'Lora', 'Karla', 'auto', 'body {}', 'split', 'Made in Bergen', 'NOK', '{NOK,EUR}', 'nb', '{nb,en}', 'Europe/Oslo', 'DD.MM.YYYY', 'g', true, 25, 'total', true, false, true, 'https://fjord.example/terms', 50, 20000, 799, 'F-', 4211, 'I-', 877, true, 4, false, NULL, true, false, true, false, true, 2, 'mailer', 'list-9', 'smtp.fjord.example', 587, 'mailuser', 'mailpass', 'Fjord', 'post@fjord.example', 'pk_live_1', 'sk_live_1', 'whsec_1', 'paypal-1', 'G-123', 'px-456', true, 'https://fjord.example/cookies', 'https://fjord.example/privacy', 45, '{"instagram": "fjordco"}', false, 'Back soon', '%s – Fjord', 'Warm things from Bergen', 'User-agent: *', '75000000-0000-4000-8000-000000000001', '2021-02-01 00:00:00Z', '2022-02-01 00:00:00Z'),
 (2, 'Outlet', NULL, NULL, 'outlet@fjord.example', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'outlet.example', NULL, NULL, NULL, NULL, '#000000', '#ffffff', NULL, 'Inter', 'Arial', 'light', NULL, 'centered', NULL, 'EUR', '{EUR}', 'en', '{en}', 'UTC', 'YYYY-MM-DD', 'kg', false, 0, 'line', false, true, false, NULL, NULL, NULL, NULL, '#', 1000, NULL, 1, false, 5, true, true, false, true, false, true, false, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, 30, '{}', true, NULL, NULL, NULL, NULL, NULL, '2021-02-02 00:00:00Z', '2022-02-02 00:00:00Z');
INSERT INTO media_assets (file_path, file_name, mime_type, file_size_bytes, width, height, alt_text, uploaded_by, uploaded_at) VALUES
 ('media/a.jpg', 'a.jpg', 'image/jpeg', 111222, 640, 480, 'A jumper', '75000000-0000-4000-8000-000000000001', '2021-03-01 00:00:00Z'), ('media/b.pdf', 'b.pdf', 'application/pdf', 333444, NULL, NULL, NULL, NULL, '2021-03-02 00:00:00Z');
INSERT INTO categories (parent_category_id, name, slug, description, cover_image_id, sort_order, is_visible) VALUES
 (NULL, 'Wool', 'wool', 'All wool', 1, 3, true), (1, 'Jumpers', 'jumpers', NULL, NULL, 4, false);
INSERT INTO brands (name, logo_url, website_url, country_of_origin) VALUES ('Dale', 'https://cdn.example.com/dale.svg', 'https://dale.example', 'NO'), ('Own', NULL, NULL, NULL);
INSERT INTO products (brand_id, category_id, title, slug, subtitle, description_html, price, compare_at_price, cost_price, weight_grams, status, is_featured, tags, rating_average, rating_count, meta_title, meta_description, attributes, published_at, created_at, updated_at, deleted_at) VALUES
 (1, 2, 'Jumper', 'jumper', 'Soft', '<p>Soft wool</p>', 899.50, 999, 410.25, 650, 'active', true, '{wool,winter}', 4.5, 12, 'Jumper | Fjord', 'A soft jumper', '{"care": "30"}', '2021-04-02 00:00:00Z', '2021-04-01 00:00:00Z', '2022-04-01 00:00:00Z', NULL),
 (NULL, 1, 'Scarf', 'scarf', NULL, NULL, 199, NULL, NULL, NULL, 'draft', false, '{}', NULL, 0, NULL, NULL, '{}', NULL, '2021-04-03 00:00:00Z', NULL, '2022-04-03 00:00:00Z');
INSERT INTO product_variants (product_id, sku, barcode, option_values, price_override, stock_quantity, position) VALUES
 (1, 'JU-S', '7012', '{"size": "S"}', 849, 17, 1), (2, 'SC-1', NULL, '{}', NULL, 6, 2);
INSERT INTO product_images (product_id, media_asset_id, caption, position) VALUES (1, 1, 'Front', 1), (2, 2, NULL, 2);
INSERT INTO product_relations VALUES (1, 2, 'cross_sell'), (2, 1, 'similar');
INSERT INTO collections (title, handle, rules, is_automatic, starts_at, ends_at) VALUES
 ('Winter', 'winter', '{"tag": "winter"}', true, '2021-11-01 00:00:00Z', '2022-02-01 00:00:00Z'), ('Gifts', 'gifts', NULL, false, NULL, NULL);
INSERT INTO collection_products VALUES (1, 1, 5), (2, 2, 6);
INSERT INTO warehouses (code, name, latitude, longitude, is_active) VALUES ('BGO', 'Bergen', 60.39, 5.32, true), ('LDS', 'Leeds', NULL, NULL, false);
INSERT INTO inventory_levels VALUES (1, 1, 15, 2, 5, '2021-05-01 00:00:00Z'), (2, 2, 6, 0, NULL, NULL);
INSERT INTO stock_movements (variant_id, from_warehouse_id, to_warehouse_id, quantity, reason, moved_by, moved_at) VALUES
 (1, 1, 2, 3, 'rebalance', '75000000-0000-4000-8000-000000000001', '2021-05-02 00:00:00Z'), (2, NULL, 1, 10, 'delivery', NULL, '2021-05-03 00:00:00Z');
INSERT INTO carts VALUES
 ('63000000-0000-4000-8000-000000000001', '75000000-0000-4000-8000-000000000001', NULL, 'NOK', '2021-06-10 00:00:00Z', '2021-06-01 00:00:00Z', '2021-06-02 00:00:00Z'), ('63000000-0000-4000-8000-000000000002', NULL, 'sess-1', 'EUR', NULL, '2021-06-03 00:00:00Z', '2021-06-04 00:00:00Z');
INSERT INTO cart_items (cart_id, variant_id, quantity, added_at) VALUES ('63000000-0000-4000-8000-000000000001', 1, 2, '2021-06-05 00:00:00Z'), ('63000000-0000-4000-8000-000000000002', 2, 1, '2021-06-06 00:00:00Z');
INSERT INTO discounts (code, discount_type, value, minimum_subtotal, usage_limit, used_count, valid_from, valid_until) VALUES
 ('WARM10', 'percentage', 10, 500, 100, 9, '2021-07-01 00:00:00Z', '2021-08-01 00:00:00Z'), ('SHIP', 'free_shipping', 0, NULL, NULL, 0, '2021-07-02 00:00:00Z', NULL);
INSERT INTO orders (order_number, customer_id, customer_email, state, shipping_address_id, billing_address_id, discount_id, subtotal, discount_total, shipping_total, tax_total, grand_total, currency, customer_note, internal_note, placed_at, cancelled_at, created_at, updated_at) VALUES
 ('F-1', '75000000-0000-4000-8000-000000000001', 'nora@example.com', 'paid', 1, 2, 1, 1699, 169.90, 79, 382.30, 1990.40, 'NOK', 'Ring twice', 'VIP', '2021-09-02 00:00:00Z', NULL, '2021-09-01 00:00:00Z', '2022-09-01 00:00:00Z'),
 ('F-2', NULL, 'guest@example.com', 'cancelled', NULL, NULL, NULL, 199, 0, 49, 49.60, 297.60, 'EUR', NULL, NULL, NULL, '2021-09-04 00:00:00Z', '2021-09-03 00:00:00Z', NULL);
INSERT INTO order_items (order_id, variant_id, product_title, sku, quantity, unit_price, line_total) VALUES
 (1, 1, 'Jumper S', 'JU-S', 2, 849, 1698), (2, NULL, 'Scarf', 'SC-1', 1, 199, 201);
INSERT INTO order_events (order_id, event, details, actor_id, happened_at) VALUES
 (1, 'paid', '{"by": "card"}', '75000000-0000-4000-8000-000000000001', '2021-09-05 00:00:00Z'), (2, 'cancelled', NULL, NULL, '2021-09-06 00:00:00Z');
INSERT INTO payments (order_id, provider, provider_reference, amount, currency, status, captured_at, created_at) VALUES
 (1, 'bank_transfer', 'bt-1', 1990.40, 'NOK', 'captured', '2021-09-08 00:00:00Z', '2021-09-07 00:00:00Z'), (2, 'stripe', NULL, 297.60, 'EUR', 'pending', NULL, '2021-09-09 00:00:00Z');
INSERT INTO refunds (payment_id, amount, reason, processed_by, created_at) VALUES (1, 100, 'late', '75000000-0000-4000-8000-000000000002', '2021-09-10 00:00:00Z'), (2, 12.5, NULL, NULL, '2021-09-11 00:00:00Z');
INSERT INTO shipping_zones (name, country_codes) VALUES ('Nordics', '{NO,SE}'), ('UK', '{GB}');
INSERT INTO shipping_rates (zone_id, name, price, min_weight_grams, max_weight_grams, estimated_days) VALUES (1, 'Post', 79, 0, 2000, '[2,5)'), (2, 'Courier', 149, NULL, NULL, NULL);
INSERT INTO shipments (order_id, warehouse_id, carrier, tracking_number, shipped_at, delivered_at) VALUES (1, 2, 'Posten', 'TR-1', '2021-09-12 00:00:00Z', '2021-09-14 00:00:00Z'), (2, NULL, 'DHL', NULL, NULL, NULL);
INSERT INTO returns (order_item_id, quantity, reason, status, requested_at) VALUES (1, 1, 'too small', 'received', '2021-09-15 00:00:00Z'), (2, 3, 'colour', 'requested', '2021-09-16 00:00:00Z');
INSERT INTO tax_rates (country_code, region, rate, applies_to_shipping) VALUES ('NO', 'Svalbard', 0, false), ('GB', NULL, 20, true);
INSERT INTO gift_cards (code_hash, last_characters, initial_balance, current_balance, issued_to, expires_on) VALUES ('gh-1', 'X9', 500, 120, '75000000-0000-4000-8000-000000000001', '2023-12-31'), ('gh-2', 'Y8', 250, 240, NULL, NULL);
INSERT INTO wishlists (user_id, name, share_token, created_at) VALUES ('75000000-0000-4000-8000-000000000001', 'Winter', 'wl-1', '2021-10-01 00:00:00Z'), ('75000000-0000-4000-8000-000000000002', 'Gifts', NULL, '2021-10-02 00:00:00Z');
INSERT INTO wishlist_items VALUES (1, 2, '2021-10-03 00:00:00Z'), (2, 1, '2021-10-04 00:00:00Z');
INSERT INTO reviews (product_id, reviewer_id, rating, headline, body, is_approved, helpful_count, created_at) VALUES
 (1, '75000000-0000-4000-8000-000000000002', 5, 'Warm', 'Very warm', true, 8, '2021-10-05 00:00:00Z'), (2, NULL, 2, NULL, 'Thin', false, 0, '2021-10-06 00:00:00Z');
INSERT INTO review_replies (review_id, author_id, body, created_at) VALUES (2, '75000000-0000-4000-8000-000000000001', 'Sorry', '2021-10-07 00:00:00Z');
INSERT INTO questions (product_id, asked_by, question_text, answer_text, answered_by, answered_at) VALUES
 (1, '75000000-0000-4000-8000-000000000002', 'Does it itch?', 'No', '75000000-0000-4000-8000-000000000001', '2021-10-08 00:00:00Z'), (2, NULL, 'How long?', NULL, NULL, NULL);
INSERT INTO pages (parent_id, title, path, template_name, status, content_blocks, seo_title, seo_description, author_id, publish_at, created_at, updated_at) VALUES
 (NULL, 'About', '/about', 'wide', 'live', '[{"text": "Since 1990"}]', 'About us', 'Who we are', '75000000-0000-4000-8000-000000000001', '2021-11-01 00:00:00Z', '2021-10-30 00:00:00Z', '2022-10-30 00:00:00Z'),
 (1, 'Team', '/about/team', 'default', 'draft', '[]', NULL, NULL, '75000000-0000-4000-8000-000000000002', NULL, '2021-10-31 00:00:00Z', NULL);
INSERT INTO page_revisions (page_id, revision_number, snapshot, edited_by, edited_at) VALUES (1, 7, '{"title": "About"}', '75000000-0000-4000-8000-000000000001', '2021-11-02 00:00:00Z'), (2, 8, '{"title": "Crew"}', '75000000-0000-4000-8000-000000000002', '2021-11-03 00:00:00Z');
INSERT INTO blog_posts (title, slug, excerpt, body_markdown, hero_image_id, author_id, reviewer_id, reading_minutes, is_published, published_on, created_at) VALUES
 ('Shearing', 'shearing', 'How wool is made', '# Shearing', 1, '75000000-0000-4000-8000-000000000001', '75000000-0000-4000-8000-000000000002', 4, true, '2021-11-05', '2021-11-04 00:00:00Z'), ('Dyeing', 'dyeing', NULL, '# Dyeing', NULL, '75000000-0000-4000-8000-000000000002', NULL, NULL, false, NULL, '2021-11-06 00:00:00Z');
INSERT INTO blog_comments (blog_post_id, commenter_name, commenter_email, content, is_spam, ip_address, created_at) VALUES
 (1, 'Pia', 'pia@example.com', 'Nice', false, '10.9.8.7', '2021-11-07 00:00:00Z'), (2, 'Bot', 'bot@example.com', 'Buy', true, NULL, '2021-11-08 00:00:00Z');
INSERT INTO menus (name, location) VALUES ('Main', 'header'), ('Legal', 'footer');
INSERT INTO menu_items (menu_id, parent_item_id, label, link_url, page_id, opens_new_tab, sort_order) VALUES (1, NULL, 'About', NULL, 1, false, 1), (1, 1, 'Blog', 'https://blog.example', NULL, true, 2);
INSERT INTO redirects (source_path, target_path, http_status, hit_count) VALUES ('/old', '/new', 301, 55), ('/tmp', '/temp', 302, 56);
INSERT INTO banners (headline, body_text, button_label, button_url, background_image_id, is_active, show_from, show_until) VALUES
 ('Sale', 'Up to half', 'Shop', 'https://fjord.example/sale', 1, true, '2021-12-01 00:00:00Z', '2021-12-24 00:00:00Z'), ('Hello', NULL, NULL, NULL, NULL, false, NULL, NULL);
INSERT INTO faqs (question, answer, category, display_order) VALUES ('Returns?', '45 days', 'orders', 1), ('Wash?', 'Cold', NULL, 2);
INSERT INTO newsletter_subscribers (email, confirmed_at, unsubscribed_at, source, confirmation_token) VALUES
 ('n1@example.com', '2021-12-02 00:00:00Z', NULL, 'footer', 'ct-1'), ('n2@example.com', NULL, '2021-12-03 00:00:00Z', NULL, NULL);
INSERT INTO contact_messages (sender_name, sender_email, subject, message, is_handled, handled_by, received_at) VALUES
 ('Kai', 'kai@example.com', 'Sizes', 'Which size?', true, '75000000-0000-4000-8000-000000000002', '2021-12-04 00:00:00Z'), ('Lea', 'lea@example.com', NULL, 'Hi', false, NULL, '2021-12-05 00:00:00Z');
INSERT INTO translations (locale, namespace, translation_key, translated_text) VALUES ('nb', 'cart', 'empty', 'Tom'), ('en', 'checkout', 'pay', 'Pay');
INSERT INTO search_terms VALUES ('wool', 91, 13, '2021-12-06 00:00:00Z'), ('silk', 3, 0, '2021-12-07 00:00:00Z');
INSERT INTO abandoned_cart_emails (cart_id, recipient, sequence_number, sent_at, clicked_at) VALUES ('63000000-0000-4000-8000-000000000001', 'nora@example.com', 1, '2021-12-08 00:00:00Z', '2021-12-09 00:00:00Z'), ('63000000-0000-4000-8000-000000000002', 'guest@example.com', 2, '2021-12-10 00:00:00Z', NULL);
INSERT INTO price_history (variant_id, old_price, new_price, changed_by, changed_at) VALUES (1, 899, 849, '75000000-0000-4000-8000-000000000001', '2021-12-11 00:00:00Z'), (2, NULL, 199, NULL, '2021-12-12 00:00:00Z');
INSERT INTO staff_notes (order_id, staff_id, note, created_at) VALUES (1, '75000000-0000-4000-8000-000000000002', 'Called', '2021-12-13 00:00:00Z');
INSERT INTO jobs VALUES
 ('6a000000-0000-4000-8000-000000000001', 'reindex', '{"all": true}', 2, 'timeout', '2021-12-14 00:00:00Z', '2021-12-15 00:00:00Z', NULL), ('6a000000-0000-4000-8000-000000000002', 'digest', NULL, 0, NULL, '2021-12-16 00:00:00Z', NULL, '2021-12-17 00:00:00Z');
INSERT INTO daily_sales VALUES ('2021-12-18', 'NOK', 14, 15990.50, 100), ('2021-12-19', 'EUR', 3, 700, 0);
