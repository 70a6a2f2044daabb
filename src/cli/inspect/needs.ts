/** What the imports of a component ask of the host, and which command can run it. */
import { parseInterfaceName } from "../../component/mod.ts";

export interface Need {
	/** The interfaces as imported. */
	readonly interfaces: readonly string[];
	/** The flag that grants it; `null` where nothing can. */
	readonly grant: string | null;
	readonly meaning: string;
}

export interface Verdict {
	readonly command: "skerry up" | "skerry run";
	readonly possible: boolean;
	/** The export that makes it possible, or what stands in the way. */
	readonly reason: string;
}

/** A name split into `namespace:package`, interface and version; `undefined` for a name of another form. */
function splitName(name: string): WasiName | undefined {
	const parsed = parseInterfaceName(name);
	if (parsed.kind === "fault") return undefined;
	return {
		package: `${parsed.namespace}:${parsed.package}`,
		interface: parsed.interface,
		version: parsed.version ?? "",
	};
}

interface WasiName {
	readonly package: string;
	readonly interface: string;
	readonly version: string;
}

/** The last release of WASI 0.2 that the host implements. */
const LAST_WASI_02 = 12;

/** Released versions of WASI 0.2; a release candidate is another interface. */
const isWasi02 = ({ version }: WasiName): boolean =>
	Number(/^0\.2\.(\d+)$/.exec(version)?.[1] ?? Number.NaN) <= LAST_WASI_02;
const isWasi03 = ({ package: name, version }: WasiName): boolean =>
	name.startsWith("wasi:") && version.startsWith("0.3.");

interface Rule {
	readonly matches: (name: WasiName) => boolean;
	/** `undefined`: it is there for every guest, and shows it nothing of this machine but time and chance. */
	readonly need: Omit<Need, "interfaces"> | undefined;
}

const isPart =
	(name: string, ...interfaces: string[]) =>
	(given: WasiName): boolean =>
		given.package === name && isWasi02(given) && (interfaces.length === 0 || interfaces.includes(given.interface));

/** The first that matches counts. */
const RULES: readonly Rule[] = [
	{
		matches: isPart("wasi:http", "outgoing-handler"),
		need: {
			grant: "--allow-outbound ORIGIN",
			meaning: "HTTP requests to other servers; each origin is refused without it",
		},
	},
	{
		matches: isPart("wasi:cli", "environment"),
		need: { grant: "--env NAME=VALUE", meaning: "environment variables; there are none without it" },
	},
	{
		matches: isPart("wasi:filesystem"),
		need: { grant: null, meaning: "files: no folder is ever opened to it, and no flag does yet" },
	},
	{
		matches: isPart("wasi:sockets"),
		need: { grant: null, meaning: "sockets: always refused, and no flag allows them yet" },
	},
	...["wasi:io", "wasi:clocks", "wasi:random", "wasi:cli", "wasi:http"].map((name) => ({
		matches: isPart(name),
		need: undefined,
	})),
	{ matches: isWasi03, need: { grant: null, meaning: "WASI 0.3, which is not supported yet: it cannot be run" } },
	{
		matches: () => true,
		need: { grant: null, meaning: "nothing here provides it: only a program that embeds Skerry can, with `imports`" },
	},
];

const UNKNOWN: Rule = { matches: () => true, need: RULES.at(-1)?.need };

/** What no command gives. */
const MISSING: ReadonlySet<unknown> = new Set(RULES.slice(-2).map(({ need }) => need));

function ruleFor(name: string): Rule {
	const parsed = splitName(name);
	return (parsed === undefined ? undefined : RULES.find(({ matches }) => matches(parsed))) ?? UNKNOWN;
}

/** What has to be granted for these imports, one entry for each kind of grant. */
export function findNeeds(imports: readonly string[]): Need[] {
	const needs = new Map<string, Need>();
	for (const name of imports) {
		const { need } = ruleFor(name);
		if (need === undefined) continue;
		const known = needs.get(need.meaning);
		needs.set(need.meaning, { ...need, interfaces: [...(known?.interfaces ?? []), name] });
	}
	return [...needs.values()];
}

const ENTRIES = [
	{ command: "skerry up", package: "wasi:http", interface: "incoming-handler", successor: "handler" },
	{ command: "skerry run", package: "wasi:cli", interface: "run", successor: "run" },
] as const;

/** Whether each command can run a component with these imports and exports. */
export function judgeCommands(imports: readonly string[], exports: readonly string[]): Verdict[] {
	const missing = imports.filter((name) => {
		const { need } = ruleFor(name);
		return need !== undefined && MISSING.has(need);
	});
	const names = exports.map((name) => ({ name, parsed: splitName(name) }));
	return ENTRIES.map((entry) => {
		const { command } = entry;
		const find = (interfaceName: string, accepts: (name: WasiName) => boolean) =>
			names.find(
				({ parsed }) => parsed?.package === entry.package && parsed.interface === interfaceName && accepts(parsed),
			)?.name;
		const export02 = find(entry.interface, isWasi02);
		const export03 = find(entry.successor, isWasi03);
		if (export02 === undefined) {
			const wanted = `${entry.package}/${entry.interface}@0.2`;
			const reason =
				export03 === undefined
					? `it does not export ${wanted}`
					: `it exports ${export03}: WASI 0.3 is not supported yet`;
			return { command, possible: false, reason };
		}
		if (missing.length > 0) return { command, possible: false, reason: `nothing provides ${missing.join(", ")}` };
		return { command, possible: true, reason: `it exports ${export02}` };
	});
}
