/** The table of parts: who may use whom. `layers.ts` checks the sources against it and draws ARCHITECTURE.md from it. */

export interface Part {
	/** The folder under `src/`. */
	readonly name: string;
	readonly holds: string;
	/** The parts it stands on. It may import from these and from all that they stand on. */
	readonly uses: readonly string[];
	/** Whether it may import Node built-ins. What may not can run in a browser. */
	readonly node: boolean;
	/** How many files the checker has to see there at least; 0 for a part that has yet to be written. */
	readonly files: number;
}

/** Everyone may use these without saying so. */
export const FOUNDATION: readonly string[] = ["fault", "bytes"];

/** Lowest first. */
export const PARTS: readonly Part[] = [
	{
		name: "fault",
		holds: "the error class, the one table of codes, rendering with place and hint",
		uses: [],
		node: false,
		files: 4,
	},
	{ name: "bytes", holds: "cursor, writer, LEB128, UTF-8", uses: ["fault"], node: false, files: 3 },
	{
		name: "wasm",
		holds: "core binary: the opcode table, modules decoded and encoded, a walker and a writer for code, names",
		uses: ["bytes"],
		node: false,
		files: 26,
	},
	{
		name: "rewrite",
		holds: "passes over core modules: state, metering; and the independent proof of what they made",
		uses: ["wasm"],
		node: false,
		files: 15,
	},
	{
		name: "component",
		holds: "component binary: decode, types, validate, names and versions, WIT printing",
		uses: ["wasm"],
		node: false,
		files: 32,
	},
	{
		name: "abi",
		holds: "canonical ABI: layout, lift and lower, handles, resources; tasks, streams and futures",
		uses: ["component"],
		node: false,
		files: 23,
	},
	{
		name: "engine",
		holds: "compilation and instantiation; the only part that touches V8's `WebAssembly`",
		uses: ["rewrite", "abi"],
		node: false,
		files: 6,
	},
	{
		name: "link",
		holds: "component graph → plan → instance; the contract of host interfaces",
		uses: ["engine", "component"],
		node: false,
		files: 7,
	},
	{
		name: "sys",
		holds: "streams, files, clocks, random, HTTP: plain services without knowledge of WebAssembly",
		uses: ["bytes"],
		node: true,
		files: 21,
	},
	{
		name: "wast",
		holds: "scripts of the WebAssembly test suites: read, and run through the engine",
		uses: ["link"],
		node: true,
		files: 12,
	},
	{
		name: "wasi",
		holds:
			"WASI 0.2: one file per interface; WASI 0.1: one file per group; over `sys`, each call checked against a grant",
		uses: ["sys", "link"],
		node: true,
		files: 75,
	},
	{ name: "app", holds: "manifest, validation, permissions", uses: ["fault"], node: true, files: 9 },
	{
		name: "pool",
		holds: "per-app sandbox pools, queues, limits",
		uses: ["link", "wasi"],
		node: true,
		files: 1,
	},
	{ name: "trigger", holds: "what starts a call: HTTP", uses: ["wasi"], node: true, files: 8 },
	{
		name: "server",
		holds: "listening, routing, the life of the process",
		uses: ["pool", "trigger"],
		node: true,
		files: 3,
	},
	{ name: "build", holds: "source → component, cached by content", uses: ["engine"], node: true, files: 10 },
	{
		name: "embed",
		holds: "the public embedding API: `Engine`, over pools of sandboxes",
		uses: ["pool"],
		node: true,
		files: 4,
	},
	{
		name: "bindgen",
		holds: "TypeScript types of a world, from WIT text or from a component",
		uses: ["component"],
		node: false,
		files: 5,
	},
	{
		name: "cli",
		holds: "the command line: one file per command, loaded lazily",
		uses: ["app", "bindgen", "build", "embed", "server", "wast"],
		node: true,
		files: 21,
	},
];

/** What the public door `src/index.ts` may re-export from. */
export const PUBLIC_DOOR_USES: readonly string[] = ["embed"];

/** The only part that may mention the global `WebAssembly`. */
export const WEBASSEMBLY_PART = "engine";

export const MAX_LINES = 600;

/** Files that may be longer, each with its reason. Generated files and tables only. */
export const LONG_FILES: Readonly<Record<string, string>> = {};
