export { authTables } from "./tables.js";
import {
  actionGeneric,
  httpActionGeneric,
  internalMutationGeneric,
  queryGeneric,
} from "convex/server";

export const getAuthUserId = async (ctx) => {
  const identity = await ctx.auth.getUserIdentity();
  return identity === null ? null : identity.subject.split("|")[0];
};

export function convexAuth({ providers }) {
  const addHttpRoutes = (http) => {
    http.route({
      path: "/.well-known/openid-configuration",
      method: "GET",
      handler: httpActionGeneric(async () => Response.json({ issuer: process.env.CONVEX_SITE_URL })),
    });
  };
  return {
    auth: { addHttpRoutes, getUserId: getAuthUserId },
    signIn: actionGeneric(async () => providers.map(({ id }) => id)),
    signOut: actionGeneric(async () => null),
    store: internalMutationGeneric(async () => null),
    isAuthenticated: queryGeneric(async (ctx) => (await getAuthUserId(ctx)) !== null),
  };
}
