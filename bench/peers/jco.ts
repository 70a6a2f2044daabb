import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import type { Peer } from "./peer.ts";

/** `jco serve`: the component transpiled to JavaScript, on the same Node, with a new instance for each request. */
export const jco: Peer = {
	name: "jco serve",
	isolation: "an instance per request",
	async find() {
		let file: string | undefined;
		try {
			file = findPackageJSON("@bytecodealliance/jco", import.meta.url);
		} catch {
			// reported as absent
		}
		if (file === undefined) return { install: "npm i -D @bytecodealliance/jco" };
		const { version, bin } = JSON.parse(readFileSync(file, "utf8")) as { version: string; bin: { jco: string } };
		const program = join(dirname(file), bin.jco);
		return {
			version,
			command: ({ component }, port, scratch) => {
				const address = ["--host", "127.0.0.1", "--port", `${port}`];
				const options = ["--isolate-requests", "instance", "--jco-dir", scratch];
				return [process.execPath, program, "serve", component, ...address, ...options];
			},
		};
	},
};
