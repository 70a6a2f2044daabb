import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Peer } from "./peer.ts";

const BIN = fileURLToPath(new URL("../../bin/skerry.js", import.meta.url));
const PACKAGE = new URL("../../package.json", import.meta.url);

/** This project. */
export const skerry: Peer = {
	name: "skerry",
	isolation: "a sandbox per request",
	async find() {
		if (!existsSync(BIN)) return { install: "bin/skerry.js is not in this tree" };
		const { version } = JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string };
		return {
			version,
			command: ({ component }, port) => [process.execPath, BIN, "up", component, "--listen", `127.0.0.1:${port}`],
		};
	},
};
