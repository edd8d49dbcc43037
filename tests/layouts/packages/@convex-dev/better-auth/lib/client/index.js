import { httpActionGeneric } from "convex/server";

export function createClient(component) {
  return {
    component,
    adapter: (ctx) => ({ id: "convex", ctx }),
    registerRoutes: (http, createAuth) => {
      const { basePath = "/api/auth" } = createAuth({}).options;
      const handler = httpActionGeneric(async (ctx, request) => createAuth(ctx).handler(request));
      for (const method of ["GET", "POST"]) {
        http.route({ pathPrefix: `${basePath}/`, method, handler });
      }
    },
  };
}
