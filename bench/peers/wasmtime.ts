import { homedir } from "node:os";
import { join } from "node:path";
import { version, which } from "../program.ts";
import type { Peer } from "./peer.ts";

/** `wasmtime serve` as it comes: compiled ahead by Cranelift, a pooling allocator, one instance per request of a WASI 0.2 component. */
export const wasmtime: Peer = {
	name: "wasmtime serve",
	isolation: "an instance per request",
	async find() {
		const program = process.env["SKERRY_BENCH_WASMTIME"] ?? which("wasmtime", [join(homedir(), ".cargo/bin")]);
		if (program === undefined) {
			return { install: "cargo install wasmtime-cli --locked, or SKERRY_BENCH_WASMTIME=/path/to/wasmtime" };
		}
		return {
			version: await version(program, ["--version"]),
			command: ({ component }, port) => [program, "serve", "-S", "cli", "--addr", `127.0.0.1:${port}`, component],
		};
	},
};
