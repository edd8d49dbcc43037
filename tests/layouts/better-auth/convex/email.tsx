"use node";

import { Resend } from "resend";
import { internalAction } from "./_generated/server";

const resend = new Resend(process.env.RESEND_KEY);

export const send = internalAction(async () => await resend.emails.send({}));
