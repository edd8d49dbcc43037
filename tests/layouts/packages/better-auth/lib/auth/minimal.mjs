export const betterAuth = (options) => ({
  options,
  handler: async () => Response.json({ plugins: options.plugins.map(({ id }) => id) }),
});
