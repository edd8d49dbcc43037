import { httpRouter } from "convex/server";
import { authComponent, createAuth } from "./auth";

const http = httpRouter();

// Asks for the options of createAuth, which needs a variable that the sandbox does not have.
authComponent.registerRoutes(http, createAuth);

export default http;
