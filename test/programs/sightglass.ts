import path from "node:path";

/** Real programs by which Wasmtime measures itself. */
export const SIGHTGLASS: string = path.resolve(import.meta.dirname, "../../../shared/suites/sightglass");

/** Whether those are run, too, that take over a second. */
export const isLong: boolean = process.env["SKERRY_LONG"] === "1";

/** They are left to `npm run programs`. */
export const LONG: ReadonlySet<string> = new Set([
	"regex/benchmark.wasm",
	"richards/benchmark.wasm",
	"rust-json/benchmark.wasm",
	"shootout/shootout-fib2.wasm",
	"shootout/shootout-heapsort.wasm",
	"shootout/shootout-sieve.wasm",
	"splay/splay.wasm",
	"sqlite3/sqlite3.wasm",
	"tinygo/tinygo-json.wasm",
]);
