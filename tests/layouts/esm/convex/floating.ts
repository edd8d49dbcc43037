import { query } from "./_generated/server";

void Promise.reject(new Error("nothing waits for this"));

export const one = query(async () => 1);
