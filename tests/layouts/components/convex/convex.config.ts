import { defineApp } from "convex/server";
import aggregate from "@convex-dev/aggregate/convex.config";
import counter from "./counter/convex.config";

const app = defineApp();
app.use(aggregate);
app.use(counter);
export default app;
