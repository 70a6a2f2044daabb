/** The package's public door. */
export { type Code, CODES, SkerryError, Trap } from "./fault/mod.ts";
