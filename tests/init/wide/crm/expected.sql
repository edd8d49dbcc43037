-- The documents that a person expects: one query over the source for each Convex table.
-- ms, ref and pair are functions of tests/init/wide/support.py.

-- orgs
SELECT id AS _source_id, name, slug, logo_url AS logo, plan_tier AS tier, seat_limit AS seats,
  default_currency AS currency, time_zone AS timezone, settings, ms(updated_at) AS "updatedAt"
FROM organizations;
-- users
SELECT u.id AS _source_id, u.email, concat_ws(' ', first_name, last_name) AS name,
  ms(a.email_confirmed_at) AS "emailVerificationTime", avatar_url AS image, u.phone,
  job_title AS title, is_active AS active, ms(last_login_at) AS "lastLoginAt",
  u.id AS "externalId" FROM users u JOIN auth.users a USING (id);
-- memberships
SELECT pair(organization_id::text, user_id::text) AS _source_id,
  ref('orgs', organization_id) AS "orgId", ref('users', user_id) AS "userId",
  CASE role WHEN 'read_only' THEN 'readOnly' ELSE role END AS role,
  ref('users', invited_by) AS "invitedBy", ms(joined_at) AS "joinedAt" FROM organization_members;
-- invitations
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", email, role,
  ref('users', invited_by) AS "invitedBy", ms(accepted_at) AS "acceptedAt",
  ms(expires_at) AS "expiresAt" FROM invitations;
-- teams
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", name,
  ref('users', manager_id) AS "managerId", color FROM teams;
-- teamMembers
SELECT pair(team_id::text, user_id::text) AS _source_id, ref('teams', team_id) AS "teamId",
  ref('users', user_id) AS "userId" FROM team_members;
-- companies
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", name, domain, industry,
  employee_count AS employees, annual_revenue AS "annualRevenue", phone_number AS phone,
  website_url AS website, billing_address AS address, ref('users', owner_id) AS "ownerId",
  ref('companies', parent_company_id) AS "parentId", linkedin_url AS linkedin,
  ms(archived_at) AS "archivedAt" FROM companies;
-- contacts
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId",
  ref('companies', company_id) AS "companyId", ref('users', owner_id) AS "ownerId",
  first_name AS "firstName", last_name AS "lastName", email, mobile_phone AS phone,
  job_title AS "jobTitle", lead_source AS source, coalesce(lead_score, 0) AS score,
  do_not_contact AS "doNotContact", birthday, custom_fields AS "customFields",
  ms(last_contacted_at) AS "lastContactedAt", ref('users', created_by) AS "createdBy"
FROM contacts;
-- addresses
SELECT id AS _source_id, ref('contacts', contact_id) AS "contactId", kind AS type,
  street AS line1, street2 AS line2, city, postal_code AS zip, country_code AS country,
  is_primary AS primary FROM contact_addresses;
-- pipelines
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", name, is_default AS "isDefault",
  sort_order AS "order" FROM pipelines;
-- stages
SELECT id AS _source_id, ref('pipelines', pipeline_id) AS "pipelineId", name,
  win_probability AS probability, sort_order AS "order" FROM pipeline_stages;
-- deals
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId",
  ref('companies', company_id) AS "companyId", ref('contacts', primary_contact_id) AS "contactId",
  ref('stages', pipeline_stage_id) AS "stageId", ref('users', owner_id) AS "ownerId",
  title AS name, CASE stage WHEN 'proposal_sent' THEN 'proposalSent' WHEN 'closed_won' THEN 'won'
    WHEN 'closed_lost' THEN 'lost' ELSE stage::text END AS stage,
  amount_cents AS amount, currency, expected_close_date AS "expectedCloseDate",
  ms(closed_at) AS "closedAt", lost_reason AS "lostReason", ms(updated_at) AS "updatedAt"
FROM deals;
-- dealContacts
SELECT pair(deal_id::text, contact_id::text) AS _source_id, ref('deals', deal_id) AS "dealId",
  ref('contacts', contact_id) AS "contactId", role_in_deal AS role FROM deal_contacts;
-- dealStageChanges
SELECT id AS _source_id, ref('deals', deal_id) AS "dealId", from_stage AS "from",
  CASE to_stage WHEN 'proposal_sent' THEN 'proposalSent' WHEN 'closed_won' THEN 'won'
    WHEN 'closed_lost' THEN 'lost' ELSE to_stage::text END AS "to",
  ref('users', changed_by) AS "changedBy", ms(changed_at) AS "changedAt" FROM deal_stage_history;
-- activities
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", ref('deals', deal_id) AS "dealId",
  ref('contacts', contact_id) AS "contactId", activity_type AS type, subject, notes,
  ms(due_at) AS "dueAt", ms(completed_at) AS "completedAt", ref('users', assigned_to) AS "assigneeId",
  ref('users', created_by) AS "createdBy" FROM activities;
-- events
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", title, ms(starts_at) AS start,
  ms(ends_at) AS "end", all_day AS "allDay", location, ref('users', host_id) AS "hostId"
FROM public.events;
-- eventAttendees
SELECT pair(event_id::text, contact_id::text) AS _source_id, ref('events', event_id) AS "eventId",
  ref('contacts', contact_id) AS "contactId", response FROM event_attendees;
-- notes
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId",
  ref(CASE noteable_type WHEN 'contact' THEN 'contacts' WHEN 'company' THEN 'companies'
    ELSE 'deals' END, noteable_id) AS parent,
  body, ref('users', author_id) AS "authorId", is_pinned AS pinned, ms(updated_at) AS "updatedAt"
FROM notes;
-- tags
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", name, color FROM tags;
-- contactTags
SELECT pair(contact_id::text, tag_id::text) AS _source_id,
  ref('contacts', contact_id) AS "contactId", ref('tags', tag_id) AS "tagId" FROM contact_tags;
-- emailTemplates
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", name, subject_line AS subject,
  html_body AS html, ref('users', created_by) AS "createdBy", ms(updated_at) AS "updatedAt"
FROM email_templates;
-- emails
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId",
  ref('emailTemplates', template_id) AS "templateId", ref('contacts', contact_id) AS "contactId",
  ref('users', sent_by) AS "senderId", from_address AS "from", to_address AS "to", subject,
  body_html AS html, open_count AS opens, ms(opened_at) AS "openedAt",
  ms(bounced_at) AS "bouncedAt", ms(sent_at) AS "sentAt" FROM email_messages;
-- calls
SELECT id AS _source_id, ref('contacts', contact_id) AS "contactId",
  ref('users', user_id) AS "userId", direction, duration_seconds AS "durationSeconds",
  recording_url AS "recordingUrl", outcome, ms(called_at) AS "startedAt" FROM call_logs;
-- files
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", ref('deals', deal_id) AS "dealId",
  file_name AS name, file_size AS size, mime_type AS "contentType", storage_path AS "storagePath",
  ref('users', uploaded_by) AS "uploadedBy" FROM attachments;
-- customFields
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", entity_type AS entity,
  field_key AS key, label, data_type AS type, options, is_required AS required
FROM custom_field_definitions;
-- savedViews
SELECT id AS _source_id, ref('users', user_id) AS "userId", entity_type AS "entityType", name,
  filters, is_shared AS shared FROM saved_views;
-- forms
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", title, fields,
  redirect_url AS "redirectUrl", submission_count AS submissions,
  ms(published_at) AS "publishedAt" FROM lead_forms;
-- formSubmissions
SELECT id AS _source_id, ref('forms', form_id) AS "formId",
  ref('contacts', contact_id) AS "contactId", payload AS data, host(ip_address) AS ip,
  ms(submitted_at) AS "submittedAt" FROM form_submissions;
-- workflows
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", name, trigger_event AS trigger,
  steps, is_enabled AS enabled, run_count AS runs, ms(updated_at) AS "updatedAt" FROM workflows;
-- workflowRuns
SELECT id AS _source_id, ref('workflows', workflow_id) AS "workflowId", status,
  error_message AS error, ms(started_at) AS "startedAt", ms(finished_at) AS "finishedAt"
FROM workflow_runs;
-- integrations
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId", provider, api_key AS "apiKey",
  config, ms(last_synced_at) AS "lastSyncedAt", ref('users', connected_by) AS "connectedBy"
FROM integrations;
-- auditEvents
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId",
  ref('users', actor_user_id) AS "actorId", event_name AS event, resource_type AS "resourceType",
  resource_id AS "resourceId", metadata, ms(occurred_at) AS at FROM audit_events;
-- exchangeRates
SELECT pair(base_currency::text, quote_currency::text, rate_date::text) AS _source_id,
  base_currency AS base, quote_currency AS quote, rate, rate_date AS date FROM exchange_rates;

-- billingCustomers
SELECT id AS _source_id, ref('orgs', organization_id) AS "orgId",
  stripe_customer_id AS "stripeCustomerId", billing_email AS email, tax_id AS "taxId",
  balance_cents AS balance FROM billing.customers;
-- products
SELECT id AS _source_id, id AS "stripeId", name, description, is_active AS active
FROM billing.products;
-- prices
SELECT id AS _source_id, id AS "stripeId", ref('products', product_id) AS "productId",
  unit_amount AS "unitAmount", currency, billing_interval AS interval,
  trial_period_days AS "trialDays", is_active AS active FROM billing.prices;
-- subscriptions
SELECT id AS _source_id, ref('billingCustomers', customer_id) AS "customerId",
  ref('prices', price_id) AS "priceId",
  CASE status WHEN 'past_due' THEN 'pastDue' ELSE status END AS status, quantity,
  cancel_at_period_end AS "cancelAtPeriodEnd", ms(current_period_start) AS "periodStart",
  ms(current_period_end) AS "periodEnd", ms(trial_ends_at) AS "trialEndsAt",
  ms(canceled_at) AS "canceledAt" FROM billing.subscriptions;
-- invoices
SELECT id AS _source_id, ref('billingCustomers', customer_id) AS "customerId",
  ref('subscriptions', subscription_id) AS "subscriptionId", invoice_number AS number, status,
  subtotal_cents AS subtotal, tax_cents AS tax, total_cents AS total, currency,
  hosted_invoice_url AS "hostedUrl", due_date AS "dueDate", ms(paid_at) AS "paidAt",
  ms(created_at) AS "createdAt" FROM billing.invoices;
-- invoiceLines
SELECT id AS _source_id, ref('invoices', invoice_id) AS "invoiceId",
  ref('prices', price_id) AS "priceId", description, quantity, unit_amount_cents AS "unitAmount",
  amount_cents AS amount FROM billing.invoice_items;
-- payments
SELECT id AS _source_id, ref('invoices', invoice_id) AS "invoiceId",
  ref('paymentMethods', payment_method_id) AS "paymentMethodId", amount_cents AS amount, status,
  failure_code AS "failureCode", ms(received_at) AS "receivedAt" FROM billing.payments;
-- paymentMethods
SELECT id AS _source_id, ref('billingCustomers', customer_id) AS "customerId", card_brand AS brand,
  card_last4 AS last4, exp_month AS "expMonth", exp_year AS "expYear", is_default AS "isDefault"
FROM billing.payment_methods;
-- refunds
SELECT id AS _source_id, ref('payments', payment_id) AS "paymentId", amount_cents AS amount, reason,
  ref('users', refunded_by) AS "issuedBy" FROM billing.refunds;
-- coupons
SELECT code AS _source_id, code, percent_off AS "percentOff", amount_off_cents AS "amountOff",
  max_redemptions AS "maxRedemptions", times_redeemed AS "timesRedeemed",
  ms(redeem_by) AS "redeemBy" FROM billing.coupons;
-- redemptions
SELECT id AS _source_id, ref('coupons', coupon_code) AS "couponId",
  ref('billingCustomers', customer_id) AS "customerId", ms(redeemed_at) AS "redeemedAt"
FROM billing.coupon_redemptions;
-- usage
SELECT id AS _source_id, ref('subscriptions', subscription_id) AS "subscriptionId", metric,
  quantity, ms(recorded_at) AS "recordedAt" FROM billing.usage_records;
-- stripeEvents
SELECT id AS _source_id, event_type AS type, payload, ms(processed_at) AS "processedAt",
  processing_error AS error, ms(received_at) AS "receivedAt" FROM billing.events;

-- inboxes
SELECT id AS _source_id, ref('orgs', "organizationId") AS "orgId", name, "emailAddress" AS email,
  "isDefault" FROM support."Inbox";
-- tickets
SELECT id AS _source_id, ref('inboxes', "inboxId") AS "inboxId", number, subject,
  lower(status::text) AS status, priority, ref('contacts', "requesterId") AS "requesterId",
  ref('users', "assigneeId") AS "assigneeId", ms("firstResponseAt") AS "firstResponseAt",
  ms("solvedAt") AS "solvedAt", ms("updatedAt") AS "updatedAt" FROM support."Ticket";
-- ticketMessages
SELECT id AS _source_id, ref('tickets', "ticketId") AS "ticketId",
  ref('users', "authorUserId") AS "userId", ref('contacts', "authorContactId") AS "contactId", body,
  "isInternal" AS internal FROM support."TicketMessage";
-- ticketTags
SELECT id AS _source_id, name, "hexColor" AS color FROM support."Tag";
-- ticketTaggings
SELECT pair("A", "B") AS _source_id, ref('ticketTags', "A") AS "tagId",
  ref('tickets', "B") AS "ticketId" FROM support."_TagToTicket";
-- cannedResponses
SELECT id AS _source_id, title, content AS body, ref('users', "createdById") AS "createdBy",
  "usageCount" FROM support."CannedResponse";
-- ratings
SELECT id AS _source_id, ref('tickets', "ticketId") AS "ticketId", score, comment
FROM support."SatisfactionRating";
-- slaPolicies
SELECT id AS _source_id, name, "firstResponseMinutes", "resolutionMinutes", "businessHoursOnly"
FROM support."SlaPolicy";
