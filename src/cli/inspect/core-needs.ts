import type { CoreExternType } from "../../wasm/mod.ts";
import type { Need, Verdict } from "./needs.ts";

interface CoreImport {
	readonly module: string;
	readonly name: string;
}

interface CoreExport {
	readonly name: string;
	readonly type: CoreExternType;
}

const WASI_P1 = "wasi_snapshot_preview1";
/** The marks of benchmark programs, which `skerry run` provides. */
const BENCH = "bench";

const RULES: readonly { readonly matches: RegExp; readonly need: Omit<Need, "interfaces"> }[] = [
	{
		matches: /^path_/,
		need: { grant: "--dir HOST::GUEST", meaning: "files; no folder is open to it without it" },
	},
	{
		matches: /^environ_/,
		need: { grant: "--env NAME=VALUE", meaning: "environment variables; there are none without it" },
	},
	{
		matches: /^(?:sock_|proc_raise)/,
		need: { grant: null, meaning: "sockets and signals: always refused, and no flag allows them yet" },
	},
];

/** What has to be granted to a core module for what it imports of WASI 0.1. */
export function findCoreNeeds(imports: readonly CoreImport[]): Need[] {
	return RULES.flatMap(({ matches, need }) => {
		const names = imports
			.filter(({ module, name }) => module === WASI_P1 && matches.test(name))
			.map(({ name }) => name);
		return names.length === 0 ? [] : [{ ...need, interfaces: names }];
	});
}

/** Whether each command can run a core module with these imports and exports. */
export function judgeCoreCommands(imports: readonly CoreImport[], exports: readonly CoreExport[]): Verdict[] {
	const up = "it is a core module, not a component: `wasm-tools component new` makes one of it";
	return [
		{ command: "skerry up", possible: false, reason: up },
		{ command: "skerry run", ...judgeRun(imports, exports) },
	];
}

function judgeRun(
	imports: readonly CoreImport[],
	exports: readonly CoreExport[],
): Pick<Verdict, "possible" | "reason"> {
	const strange = new Set(
		imports.map(({ module }) => module).filter((module) => module !== WASI_P1 && module !== BENCH),
	);
	if (strange.size > 0) return { possible: false, reason: `nothing provides ${[...strange].join(", ")}` };
	const functions = exports.filter(({ type }) => type.kind === "func").map(({ name }) => name);
	if (functions.includes("_start")) return { possible: true, reason: "it exports _start" };
	if (functions.length === 0) return { possible: false, reason: "it exports no function" };
	return { possible: true, reason: `with --invoke ${functions.length === 1 ? functions[0] : "NAME"}` };
}
