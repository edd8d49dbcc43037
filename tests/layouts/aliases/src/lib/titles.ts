// Outside of convex/, so this is of the tsconfig.json beside src/.
import { TITLE_LENGTH } from "@/lib/limits";

export const isTitle = (text: string) => text.length <= TITLE_LENGTH;
