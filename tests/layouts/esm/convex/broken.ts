import { query } from "./_generated/server";

export const one = query(async () => 1);

throw new Error("needs what is not there");
