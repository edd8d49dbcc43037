/** One route: the second channel to migrate.ts, see channel.ts. */
import { httpRouter } from "convex/server";
import { httpChannel } from "./channel";
import * as migrate from "./migrate";

const http = httpRouter();

http.route({ path: "/migrate", method: "POST", handler: httpChannel("migrate", migrate) });

export default http;
