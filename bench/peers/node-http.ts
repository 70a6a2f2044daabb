import { fileURLToPath } from "node:url";
import type { Peer } from "./peer.ts";

const SERVER = fileURLToPath(new URL("node-http-server.ts", import.meta.url));

/** Bare `node:http` that answers the same bytes without any guest: the ceiling of what a server on Node can do. */
export const nodeHttp: Peer = {
	name: "node:http",
	isolation: "none, and no guest",
	async find() {
		return {
			version: process.versions.node,
			command: ({ answer }, port) => [process.execPath, SERVER, `${port}`, answer],
		};
	},
};
