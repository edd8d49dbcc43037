"use node";

import sharp from "sharp";
import { action } from "./_generated/server";

export const draw = action(async () => String(sharp));
