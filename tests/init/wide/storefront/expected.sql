-- The documents that a person expects: one query over the source for each Convex table.
-- ms, ref and pair are functions of tests/init/wide/support.py.

-- users
SELECT p.id AS _source_id, display_name AS name, avatar_url AS image, a.email,
  ms(a.email_confirmed_at) AS "emailVerificationTime", p.role,
  marketing_opt_in AS "marketingOptIn", loyalty_points AS points, p.id AS "supabaseId"
FROM profiles p JOIN auth.users a USING (id);
-- addresses
SELECT id AS _source_id, ref('users', user_id) AS "userId", recipient_name AS recipient,
  address_line1 AS line1, address_line2 AS line2, city, state_province AS region,
  postal_code AS "postalCode", country_code AS country, phone, is_default AS "isDefault"
FROM addresses;
-- settings
SELECT id AS _source_id, store_name AS name, store_tagline AS tagline, legal_name AS "legalName",
  contact_email AS "contactEmail", support_email AS "supportEmail",
  support_phone AS "supportPhone", address_street AS street, address_city AS city,
  address_postal_code AS "postalCode", address_country AS country, vat_number AS "vatNumber",
  company_registration_number AS "registrationNumber", primary_domain AS domain,
  logo_url AS logo, logo_dark_url AS "logoDark", favicon_url AS favicon,
  og_image_url AS "ogImage", primary_color AS "primaryColor", secondary_color AS "secondaryColor",
  accent_color AS "accentColor", heading_font AS "headingFont", body_font AS "bodyFont",
  theme_mode AS theme, custom_css AS "customCss", header_layout AS "headerLayout",
  footer_text AS "footerText", default_currency AS currency, supported_currencies AS currencies,
  default_locale AS locale, supported_locales AS locales, time_zone AS timezone,
  date_format AS "dateFormat", weight_unit AS "weightUnit",
  prices_include_tax AS "pricesIncludeTax", default_tax_rate AS "taxRate",
  tax_calculation_method AS "taxMethod", checkout_guest_allowed AS "guestCheckout",
  checkout_phone_required AS "phoneRequired", checkout_company_field AS "companyField",
  checkout_terms_url AS "termsUrl", min_order_amount AS "minOrder", max_order_amount AS "maxOrder",
  free_shipping_threshold AS "freeShippingThreshold", order_number_prefix AS "orderPrefix",
  next_order_number AS "nextOrderNumber", invoice_number_prefix AS "invoicePrefix",
  next_invoice_number AS "nextInvoiceNumber", inventory_tracking_enabled AS "trackInventory",
  low_stock_threshold AS "lowStockThreshold", allow_backorders AS "allowBackorders",
  coalesce(hide_out_of_stock, false) AS "hideOutOfStock", reviews_enabled AS "reviewsEnabled",
  reviews_require_approval AS "reviewsRequireApproval", wishlist_enabled AS "wishlistEnabled",
  gift_cards_enabled AS "giftCardsEnabled", loyalty_enabled AS "loyaltyEnabled",
  loyalty_points_per_unit AS "loyaltyPointsPerUnit", newsletter_provider AS "newsletterProvider",
  newsletter_list_id AS "newsletterListId", smtp_host AS "smtpHost", smtp_port AS "smtpPort",
  smtp_username AS "smtpUser", email_from_name AS "emailFromName",
  email_from_address AS "emailFromAddress", stripe_publishable_key AS "stripePublishableKey",
  paypal_client_id AS "paypalClientId", google_analytics_id AS "googleAnalyticsId",
  facebook_pixel_id AS "facebookPixelId", cookie_banner_enabled AS "cookieBanner",
  cookie_policy_url AS "cookiePolicyUrl", privacy_policy_url AS "privacyPolicyUrl",
  return_window_days AS "returnWindowDays", social_links AS "socialLinks",
  maintenance_mode AS maintenance, maintenance_message AS "maintenanceMessage",
  seo_title_template AS "seoTitleTemplate", seo_description AS "seoDescription",
  robots_txt AS "robotsTxt", ref('users', updated_by) AS "updatedBy",
  ms(updated_at) AS "updatedAt" FROM store_settings;
-- media
SELECT id AS _source_id, file_path AS path, file_name AS filename, mime_type AS "contentType",
  file_size_bytes AS size, width, height, alt_text AS alt, ref('users', uploaded_by) AS "uploadedBy"
FROM media_assets;
-- categories
SELECT id AS _source_id, ref('categories', parent_category_id) AS "parentId", name, slug,
  description, ref('media', cover_image_id) AS "coverImageId", sort_order AS "order",
  is_visible AS visible FROM categories;
-- brands
SELECT id AS _source_id, name, logo_url AS logo, website_url AS website,
  country_of_origin AS country FROM brands;
-- products
SELECT id AS _source_id, ref('brands', brand_id) AS "brandId",
  ref('categories', category_id) AS "categoryId", title AS name, slug, subtitle,
  description_html AS description, price, compare_at_price AS "compareAtPrice", cost_price AS cost,
  weight_grams AS weight, status, is_featured AS featured, tags, rating_average AS rating,
  rating_count AS "ratingCount", attributes, ms(published_at) AS "publishedAt",
  ms(deleted_at) AS "deletedAt", ms(updated_at) AS "updatedAt" FROM products;
-- variants
SELECT id AS _source_id, ref('products', product_id) AS "productId", sku, barcode,
  option_values AS options, price_override AS price, stock_quantity AS stock, position
FROM product_variants;
-- productImages
SELECT id AS _source_id, ref('products', product_id) AS "productId",
  ref('media', media_asset_id) AS "mediaId", caption, position FROM product_images;
-- relatedProducts
SELECT pair(product_id::text, related_product_id::text) AS _source_id,
  ref('products', product_id) AS "productId", ref('products', related_product_id) AS "relatedId",
  CASE relation_type WHEN 'cross_sell' THEN 'crossSell' ELSE relation_type END AS type
FROM product_relations;
-- collections
SELECT id AS _source_id, title, handle, rules, is_automatic AS automatic,
  ms(starts_at) AS "startsAt", ms(ends_at) AS "endsAt" FROM collections;
-- collectionProducts
SELECT pair(collection_id::text, product_id::text) AS _source_id,
  ref('collections', collection_id) AS "collectionId", ref('products', product_id) AS "productId",
  position FROM collection_products;
-- warehouses
SELECT id AS _source_id, code, name, latitude AS lat, longitude AS lng, is_active AS active
FROM warehouses;
-- inventory
SELECT pair(variant_id::text, warehouse_id::text) AS _source_id,
  ref('variants', variant_id) AS "variantId", ref('warehouses', warehouse_id) AS "warehouseId",
  on_hand AS "onHand", reserved, reorder_point AS "reorderPoint", ms(counted_at) AS "countedAt"
FROM inventory_levels;
-- stockMovements
SELECT id AS _source_id, ref('variants', variant_id) AS "variantId",
  ref('warehouses', from_warehouse_id) AS "fromId", ref('warehouses', to_warehouse_id) AS "toId",
  quantity, reason, ref('users', moved_by) AS "movedBy", ms(moved_at) AS "movedAt"
FROM stock_movements;
-- carts
SELECT id AS _source_id, ref('users', user_id) AS "userId", session_id AS "sessionId", currency,
  ms(expires_at) AS "expiresAt", ms(updated_at) AS "updatedAt" FROM carts;
-- cartItems
SELECT id AS _source_id, ref('carts', cart_id) AS "cartId", ref('variants', variant_id) AS "variantId",
  quantity FROM cart_items;
-- discounts
SELECT id AS _source_id, code, CASE discount_type WHEN 'fixed_amount' THEN 'fixedAmount'
    WHEN 'free_shipping' THEN 'freeShipping' ELSE discount_type END AS type,
  value, minimum_subtotal AS "minSubtotal", usage_limit AS "usageLimit",
  used_count AS "usedCount", ms(valid_from) AS "validFrom", ms(valid_until) AS "validUntil"
FROM discounts;
-- orders
SELECT id AS _source_id, order_number AS number, ref('users', customer_id) AS "customerId",
  customer_email AS email, state AS status,
  ref('addresses', shipping_address_id) AS "shippingAddressId",
  ref('addresses', billing_address_id) AS "billingAddressId",
  ref('discounts', discount_id) AS "discountId", subtotal, discount_total AS "discountTotal",
  shipping_total AS "shippingTotal", tax_total AS "taxTotal", grand_total AS total, currency,
  customer_note AS "customerNote", internal_note AS "internalNote", ms(placed_at) AS "placedAt",
  ms(cancelled_at) AS "cancelledAt" FROM orders;
-- orderLines
SELECT id AS _source_id, ref('orders', order_id) AS "orderId",
  ref('variants', variant_id) AS "variantId", product_title AS title, sku, quantity,
  unit_price AS "unitPrice", line_total AS total FROM order_items;
-- orderEvents
SELECT id AS _source_id, ref('orders', order_id) AS "orderId", event, details,
  ref('users', actor_id) AS "actorId", ms(happened_at) AS at FROM order_events;
-- payments
SELECT id AS _source_id, ref('orders', order_id) AS "orderId",
  CASE provider WHEN 'bank_transfer' THEN 'bankTransfer' ELSE provider END AS provider,
  provider_reference AS reference, amount, currency, status, ms(captured_at) AS "capturedAt"
FROM payments;
-- refunds
SELECT id AS _source_id, ref('payments', payment_id) AS "paymentId", amount, reason,
  ref('users', processed_by) AS "processedBy" FROM refunds;
-- shippingZones
SELECT id AS _source_id, name, country_codes AS countries FROM shipping_zones;
-- shippingRates
SELECT id AS _source_id, ref('shippingZones', zone_id) AS "zoneId", name, price,
  min_weight_grams AS "minWeight", max_weight_grams AS "maxWeight" FROM shipping_rates;
-- shipments
SELECT id AS _source_id, ref('orders', order_id) AS "orderId",
  ref('warehouses', warehouse_id) AS "warehouseId", carrier, tracking_number AS "trackingNumber",
  ms(shipped_at) AS "shippedAt", ms(delivered_at) AS "deliveredAt" FROM shipments;
-- returns
SELECT id AS _source_id, ref('orderLines', order_item_id) AS "orderLineId", quantity, reason,
  status, ms(requested_at) AS "requestedAt" FROM returns;
-- taxRates
SELECT id AS _source_id, country_code AS country, region, rate,
  applies_to_shipping AS "appliesToShipping" FROM tax_rates;
-- giftCards
SELECT id AS _source_id, last_characters AS "lastCharacters", initial_balance AS "initialBalance",
  current_balance AS balance, ref('users', issued_to) AS "ownerId", expires_on AS "expiresOn"
FROM gift_cards;
-- wishlists
SELECT id AS _source_id, ref('users', user_id) AS "userId", name, share_token AS "shareToken"
FROM wishlists;
-- wishlistItems
SELECT pair(wishlist_id::text, product_id::text) AS _source_id,
  ref('wishlists', wishlist_id) AS "wishlistId", ref('products', product_id) AS "productId",
  ms(added_at) AS "addedAt" FROM wishlist_items;
-- reviews
SELECT id AS _source_id, ref('products', product_id) AS "productId",
  ref('users', reviewer_id) AS "authorId", rating, headline AS title, body,
  is_approved AS approved, helpful_count AS "helpfulCount" FROM reviews;
-- reviewReplies
SELECT id AS _source_id, ref('reviews', review_id) AS "reviewId",
  ref('users', author_id) AS "authorId", body FROM review_replies;
-- questions
SELECT id AS _source_id, ref('products', product_id) AS "productId",
  ref('users', asked_by) AS "askedBy", question_text AS question, answer_text AS answer,
  ref('users', answered_by) AS "answeredBy", ms(answered_at) AS "answeredAt" FROM questions;
-- pages
SELECT id AS _source_id, ref('pages', parent_id) AS "parentId", title, path,
  template_name AS template, status, content_blocks AS blocks, seo_title AS "seoTitle",
  seo_description AS "seoDescription", ref('users', author_id) AS "authorId",
  ms(publish_at) AS "publishAt", ms(updated_at) AS "updatedAt" FROM pages;
-- pageRevisions
SELECT id AS _source_id, ref('pages', page_id) AS "pageId", revision_number AS revision, snapshot,
  ref('users', edited_by) AS "editorId", ms(edited_at) AS "editedAt" FROM page_revisions;
-- posts
SELECT id AS _source_id, title, slug, excerpt, body_markdown AS markdown,
  ref('media', hero_image_id) AS "heroImageId", ref('users', author_id) AS "writerId",
  ref('users', reviewer_id) AS "editorId", reading_minutes AS "readingMinutes",
  is_published AS published, published_on AS "publishedOn" FROM blog_posts;
-- postComments
SELECT id AS _source_id, ref('posts', blog_post_id) AS "postId", commenter_name AS name,
  commenter_email AS email, content AS body, is_spam AS spam, host(ip_address) AS ip,
  ms(created_at) AS "createdAt" FROM blog_comments;
-- menus
SELECT id AS _source_id, name, location FROM menus;
-- menuItems
SELECT id AS _source_id, ref('menus', menu_id) AS "menuId", ref('menuItems', parent_item_id) AS "parentId",
  label, link_url AS url, ref('pages', page_id) AS "pageId", opens_new_tab AS "newTab",
  sort_order AS "order" FROM menu_items;
-- redirects
SELECT id AS _source_id, source_path AS "from", target_path AS "to", http_status AS status,
  hit_count AS hits FROM redirects;
-- banners
SELECT id AS _source_id, headline AS title, body_text AS text, button_label AS "buttonLabel",
  button_url AS "buttonUrl", ref('media', background_image_id) AS "imageId", is_active AS active,
  ms(show_from) AS "showFrom", ms(show_until) AS "showUntil" FROM banners;
-- faqs
SELECT id AS _source_id, question, answer, category, display_order AS "order" FROM faqs;
-- subscribers
SELECT id AS _source_id, email, ms(confirmed_at) AS "confirmedAt",
  ms(unsubscribed_at) AS "unsubscribedAt", source FROM newsletter_subscribers;
-- contactMessages
SELECT id AS _source_id, sender_name AS name, sender_email AS email, subject, message,
  is_handled AS handled, ref('users', handled_by) AS "handledBy", ms(received_at) AS "receivedAt"
FROM contact_messages;
-- translations
SELECT id AS _source_id, locale, namespace, translation_key AS key, translated_text AS text
FROM translations;
-- searchTerms
SELECT term AS _source_id, term, search_count AS searches, result_count AS results,
  ms(last_searched_at) AS "lastSearchedAt" FROM search_terms;
-- cartReminders
SELECT id AS _source_id, ref('carts', cart_id) AS "cartId", recipient, sequence_number AS sequence,
  ms(sent_at) AS "sentAt", ms(clicked_at) AS "clickedAt" FROM abandoned_cart_emails;
-- priceChanges
SELECT id AS _source_id, ref('variants', variant_id) AS "variantId", old_price AS "oldPrice",
  new_price AS "newPrice", ref('users', changed_by) AS "changedBy", ms(changed_at) AS "changedAt"
FROM price_history;
-- staffNotes
SELECT id AS _source_id, ref('orders', order_id) AS "orderId", ref('users', staff_id) AS "authorId",
  note AS text FROM staff_notes;
-- jobs
SELECT id AS _source_id, job_name AS name, payload, attempts, last_error AS "lastError",
  ms(run_at) AS "runAt", ms(locked_at) AS "lockedAt", ms(completed_at) AS "completedAt" FROM jobs;
-- dailySales
SELECT day AS _source_id, day, currency, order_count AS orders, gross_revenue AS revenue,
  refunded_amount AS refunded FROM daily_sales;
