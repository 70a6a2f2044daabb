import { Trap } from "../fault/mod.ts";

/** Ends the guest. Messages hold the wording that the specification's tests match. */
export function trap(message: string): never {
	throw new Trap(message);
}
