export const convex = ({ authConfig }) => ({ id: "convex", authConfig });
