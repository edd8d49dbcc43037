import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { stagesTables } from "./stagesTables";

// Every time is a number of milliseconds since 1970-01-01 UTC, as `Date.now()` gives it.
const created = { created_at: v.number(), updated_at: v.number() };
const ofWorkspace = { workspace_id: v.id("workspaces") };

export default defineSchema({
  // What the application has had from before: the tables that the twelve refer to.

  workspaces: defineTable({
    name: v.string(),
    slug: v.string(),
    owner_id: v.string(),
    kapso_phone_id: v.optional(v.string()),
    meta_access_token: v.optional(v.string()),
    settings: v.optional(v.any()),
    ...created,
  })
    .index("by_slug", ["slug"])
    .index("by_kapso_phone", ["kapso_phone_id"]),

  organizations: defineTable({
    clerk_org_id: v.string(),
    workspace_id: v.optional(v.id("workspaces")),
    name: v.string(),
    slug: v.string(),
    ...created,
  })
    .index("by_clerk_org_id", ["clerk_org_id"])
    .index("by_workspace", ["workspace_id"]),

  contacts: defineTable({
    supabaseId: v.string(),
    ...ofWorkspace,
    phone: v.string(),
    name: v.optional(v.string()),
    email: v.optional(v.string()),
    lead_score: v.number(),
    lead_status: v.string(),
    tags: v.optional(v.array(v.string())),
    metadata: v.optional(v.any()),
    assigned_to: v.optional(v.string()),
    kapso_name: v.optional(v.string()),
    cache_updated_at: v.optional(v.number()),
    phone_normalized: v.optional(v.string()),
    source: v.optional(v.string()),
    ...created,
  })
    .index("by_workspace_phone", ["workspace_id", "phone"])
    .index("by_workspace", ["workspace_id"])
    .index("by_assigned", ["workspace_id", "assigned_to"]),

  ariConversations: defineTable({
    supabaseId: v.string(),
    ...ofWorkspace,
    contact_id: v.id("contacts"),
    state: v.string(),
    lead_score: v.number(),
    lead_temperature: v.optional(v.string()),
    context: v.optional(v.any()),
    ai_model: v.optional(v.string()),
    last_ai_message_at: v.optional(v.number()),
    handoff_at: v.optional(v.number()),
    handoff_reason: v.optional(v.string()),
    ...created,
  })
    .index("by_workspace_contact", ["workspace_id", "contact_id"])
    .index("by_workspace", ["workspace_id"]),

  // The twelve that are migrated.

  ariDestinations: defineTable({
    ...ofWorkspace,
    country: v.string(),
    city: v.optional(v.string()),
    university_name: v.string(),
    requirements: v.optional(v.any()),
    programs: v.optional(v.array(v.string())),
    is_promoted: v.boolean(),
    priority: v.number(),
    notes: v.optional(v.string()),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_workspace_country", ["workspace_id", "country"]),

  ariPayments: defineTable({
    ari_conversation_id: v.id("ariConversations"),
    ...ofWorkspace,
    amount: v.number(),
    currency: v.string(),
    payment_method: v.optional(v.string()),
    gateway: v.string(),
    gateway_transaction_id: v.optional(v.string()),
    gateway_response: v.optional(v.any()),
    status: v.string(),
    expires_at: v.optional(v.number()),
    paid_at: v.optional(v.number()),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_conversation", ["ari_conversation_id"])
    .index("by_status", ["workspace_id", "status"]),

  ariAppointments: defineTable({
    ari_conversation_id: v.id("ariConversations"),
    ...ofWorkspace,
    payment_id: v.optional(v.id("ariPayments")),
    consultant_id: v.optional(v.string()),
    scheduled_at: v.number(),
    duration_minutes: v.number(),
    meeting_link: v.optional(v.string()),
    status: v.string(),
    reminder_sent_at: v.optional(v.number()),
    notes: v.optional(v.string()),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_conversation", ["ari_conversation_id"])
    .index("by_consultant", ["workspace_id", "consultant_id"]),

  ariAiComparison: defineTable({
    ...ofWorkspace,
    ai_model: v.string(),
    conversation_count: v.number(),
    avg_response_time_ms: v.optional(v.number()),
    total_tokens_used: v.number(),
    conversion_count: v.number(),
    satisfaction_score: v.optional(v.number()),
    period_start: v.optional(v.number()),
    period_end: v.optional(v.number()),
    ...created,
  }).index("by_workspace_model", ["workspace_id", "ai_model"]),

  ariFlowStages: defineTable({
    ...ofWorkspace,
    name: v.string(),
    goal: v.string(),
    sample_script: v.optional(v.string()),
    exit_criteria: v.optional(v.string()),
    stage_order: v.number(),
    is_active: v.boolean(),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_workspace_order", ["workspace_id", "stage_order"]),

  ariKnowledgeCategories: defineTable({
    ...ofWorkspace,
    name: v.string(),
    description: v.optional(v.string()),
    display_order: v.number(),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_workspace_order", ["workspace_id", "display_order"]),

  ariKnowledgeEntries: defineTable({
    ...ofWorkspace,
    category_id: v.optional(v.id("ariKnowledgeCategories")),
    title: v.string(),
    content: v.string(),
    is_active: v.boolean(),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_category", ["category_id"]),

  ariScoringConfig: defineTable({
    ...ofWorkspace,
    hot_threshold: v.number(),
    warm_threshold: v.number(),
    weight_basic: v.number(),
    weight_qualification: v.number(),
    weight_document: v.number(),
    weight_engagement: v.number(),
    ...created,
  }).index("by_workspace", ["workspace_id"]),

  consultantSlots: defineTable({
    ...ofWorkspace,
    consultant_id: v.optional(v.string()),
    day_of_week: v.number(),
    start_time: v.string(),
    end_time: v.string(),
    duration_minutes: v.number(),
    booking_window_days: v.number(),
    max_bookings_per_slot: v.number(),
    is_active: v.boolean(),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_workspace_day", ["workspace_id", "day_of_week"]),

  articles: defineTable({
    supabaseId: v.optional(v.string()),
    ...ofWorkspace,
    title: v.string(),
    slug: v.string(),
    excerpt: v.optional(v.string()),
    content: v.optional(v.string()),
    cover_image_url: v.optional(v.string()),
    status: v.string(),
    published_at: v.optional(v.number()),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_workspace_slug", ["workspace_id", "slug"])
    .index("by_status", ["workspace_id", "status"]),

  webinars: defineTable({
    supabaseId: v.optional(v.string()),
    ...ofWorkspace,
    title: v.string(),
    slug: v.string(),
    description: v.optional(v.string()),
    cover_image_url: v.optional(v.string()),
    scheduled_at: v.number(),
    duration_minutes: v.number(),
    meeting_url: v.optional(v.string()),
    max_registrations: v.optional(v.number()),
    status: v.string(),
    published_at: v.optional(v.number()),
    ...created,
  })
    .index("by_workspace", ["workspace_id"])
    .index("by_workspace_slug", ["workspace_id", "slug"])
    .index("by_status", ["workspace_id", "status"])
    .index("by_scheduled", ["workspace_id", "scheduled_at"]),

  webinarRegistrations: defineTable({
    webinar_id: v.id("webinars"),
    contact_id: v.id("contacts"),
    ...ofWorkspace,
    registered_at: v.number(),
    attended: v.boolean(),
  })
    .index("by_webinar", ["webinar_id"])
    .index("by_contact", ["contact_id"])
    .index("by_workspace", ["workspace_id"]),

  ...stagesTables,
});
