import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version, which } from "../program.ts";
import type { Peer } from "./peer.ts";

/** workerd, the engine of Cloudflare Workers: the same JavaScript straight on V8, in one isolate that all requests share. */
export const workerd: Peer = {
	name: "workerd",
	isolation: "none between requests; an isolate per app",
	async find() {
		const program = process.env["SKERRY_BENCH_WORKERD"] ?? which("workerd");
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
