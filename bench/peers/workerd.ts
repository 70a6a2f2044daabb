import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { version, which } from "../program.ts";
import type { Peer } from "./peer.ts";

/** workerd, the engine of Cloudflare Workers: the same JavaScript straight on V8, in one isolate that all requests share. */
export const workerd: Peer = {
	name: "workerd",
	isolation: "none between requests; an isolate per app",
	async find() {
		const program = process.env["SKERRY_BENCH_WORKERD"] ?? which("workerd") ?? installed();
		if (program === undefined) {
			return { install: "npm i --prefix FOLDER workerd, and SKERRY_BENCH_WORKERD=FOLDER/node_modules/.bin/workerd" };
		}
		return {
			version: (await version(program, ["--version"])).replace("workerd ", ""),
			serves: ({ script }) => script !== undefined,
			command: ({ script = "" }, port, scratch) => {
				copyFileSync(script, join(scratch, "worker.js"));
				const config = join(scratch, "config.capnp");
				writeFileSync(config, configuration(port));
				return [program, "serve", config];
			},
		};
	},
};

/** Of a dependency, if somebody added it. */
function installed(): string | undefined {
	let file: string | undefined;
	try {
		file = findPackageJSON("workerd", import.meta.url);
	} catch {
		// reported as absent
	}
	if (file === undefined) return undefined;
	const { bin } = JSON.parse(readFileSync(file, "utf8")) as { bin: { workerd: string } };
	return join(dirname(file), bin.workerd);
}

/** Cap'n Proto text; `embed` is relative to the file. */
function configuration(port: number): string {
	return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2025-01-01",
);
`;
}
