import type * as http from "node:http";
import type * as https from "node:https";

/**
 * `node:http`. An `import` of it reads each of its exports, and with that loads undici and what it stands on: a third of the time in which a
 * server starts, for nothing.
 */
export const nodeHttp: typeof http = process.getBuiltinModule("node:http");

/** `node:https`, which brings TLS: only who needs that should ask. */
export function nodeHttps(): typeof https {
	return process.getBuiltinModule("node:https");
}
