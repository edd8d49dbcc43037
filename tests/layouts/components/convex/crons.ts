import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";

const crons = cronJobs();
crons.daily("count the books", { hourUTC: 4, minuteUTC: 0 }, internal.books.count);
export default crons;
