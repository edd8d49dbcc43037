export const getAuthConfigProvider = () => ({
  type: "customJwt",
  issuer: `${process.env.CONVEX_SITE_URL}`,
});
