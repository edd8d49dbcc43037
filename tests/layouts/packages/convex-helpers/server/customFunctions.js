export const customCtx = (modify) => ({
  args: {},
  input: async (ctx) => ({ ctx: await modify(ctx), args: {} }),
});

export const customQuery =
  (query, { input }) =>
  ({ args, handler }) =>
    query({
      args,
      handler: async (ctx, given) => {
        const added = await input(ctx, {});
        return await handler({ ...ctx, ...added.ctx }, { ...given, ...added.args });
      },
    });
