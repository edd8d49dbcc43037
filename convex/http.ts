/** One route: the second door to migrate.ts, see door.ts. */
import { httpRouter } from "convex/server";
import { door } from "./door";
import * as migrate from "./migrate";

const http = httpRouter();

http.route({ path: "/migrate", method: "POST", handler: door("migrate", migrate) });

export default http;
