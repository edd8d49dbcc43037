import { defineTable } from "convex/server";
import { v } from "convex/values";

const user = v.id("users");
const session = v.id("authSessions");

export const authTables = {
  users: defineTable({
    name: v.optional(v.string()),
    image: v.optional(v.string()),
    email: v.optional(v.string()),
    emailVerificationTime: v.optional(v.number()),
    phone: v.optional(v.string()),
    phoneVerificationTime: v.optional(v.number()),
    isAnonymous: v.optional(v.boolean()),
  })
    .index("email", ["email"])
    .index("phone", ["phone"]),
  authSessions: defineTable({ userId: user, expirationTime: v.number() }).index("userId", ["userId"]),
  authAccounts: defineTable({
    userId: user,
    provider: v.string(),
    providerAccountId: v.string(),
    secret: v.optional(v.string()),
    emailVerified: v.optional(v.string()),
    phoneVerified: v.optional(v.string()),
  })
    .index("userIdAndProvider", ["userId", "provider"])
    .index("providerAndAccountId", ["provider", "providerAccountId"]),
  authRefreshTokens: defineTable({ sessionId: session, expirationTime: v.number() }).index(
    "sessionId",
    ["sessionId"],
  ),
  authVerificationCodes: defineTable({ accountId: v.id("authAccounts"), code: v.string() }).index(
    "code",
    ["code"],
  ),
  authVerifiers: defineTable({ sessionId: v.optional(session), signature: v.optional(v.string()) }),
  authRateLimits: defineTable({ identifier: v.string(), attemptsLeft: v.number() }),
};
