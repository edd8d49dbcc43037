export { named as inner } from "../index.js";
