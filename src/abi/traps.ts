import { type LimitName, Trap } from "../fault/mod.ts";

/** Ends the guest. Messages hold the wording that the specification's tests match. */
export function trap(message: string): never {
	throw new Trap(message);
}

/**
 * Ends the guest at a limit of what a sandbox may hold.
 * @param what it was refused
 * @param app whose limit it is; left out where there is but one guest
 */
export function trapAtLimit(what: string, limit: LimitName, allowed: number, app: string | undefined): never {
	trap(`${what} (limit "${limit}"${app === undefined ? "" : ` of app ${app}`}: ${allowed})`);
}
