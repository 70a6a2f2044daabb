import { SkerryError } from "./error.ts";

/** The unit in which a limit is counted. */
type LimitUnit = "bytes" | "ms" | "elements" | "instances" | "instructions" | "handles" | "streams" | "calls";

export type LimitName =
	| "memory"
	| "tables"
	| "gcHeap"
	| "instances"
	| "stack"
	| "wall"
	| "cpu"
	| "fuel"
	| "handles"
	| "streams"
	| "values"
	| "buffered"
	| "output"
	| "hostCalls";

interface LimitRow {
	readonly unit: LimitUnit;
	/** Infinity: none unless one is given. */
	readonly default: number;
	/** What it bounds, as an operator reads it. */
	readonly bounds: string;
	/** Why the default is what it is. */
	readonly origin: string;
}

/**
 * The one table of what a sandbox may take. Every bound that a guest can run into has its row here: its name is the key under which
 * an operator sets it, and the word in the error that ends the guest.
 */
export const LIMITS: Readonly<Record<LimitName, LimitRow>> = {
	memory: {
		unit: "bytes",
		default: 256 * 1024 * 1024,
		bounds: "linear memories of a sandbox, all together",
		origin: "twice what workerd gives an isolate: a language engine inside has a heap of its own",
	},
	tables: {
		unit: "elements",
		default: 50_000,
		bounds: "elements of a sandbox's tables, all together",
		origin:
			"a SpiderMonkey has 20,000; at some 32 bytes each, 1.6 MB of V8's heap, for which it takes 1.5 ms to make room",
	},
	gcHeap: {
		unit: "bytes",
		default: 256 * 1024 * 1024,
		bounds: "structures, arrays and exceptions of a sandbox, garbage among them until it is collected",
		origin: "as much as linear memory; the heap is everyone's, and of 2 to 4 GiB",
	},
	instances: {
		unit: "instances",
		default: 1_000,
		bounds: "core instances in one sandbox",
		origin: "a component of componentize-py has 15; each costs the host some 20 KiB",
	},
	stack: {
		unit: "bytes",
		default: 984 * 1024,
		bounds: "the stack of a guest",
		origin: "V8's own default, for the main stack and for those of JSPI",
	},
	wall: {
		unit: "ms",
		default: 30_000,
		bounds: "a call, from its start to its end, waiting included",
		origin: "Akamai Functions' limit",
	},
	cpu: {
		unit: "ms",
		default: 5_000,
		bounds: "the time that a call holds the thread, in all",
		origin: "long enough for a request that computes",
	},
	fuel: {
		unit: "instructions",
		default: Infinity,
		bounds: "instructions of a call, counted exactly; needs metering `fuel`",
		origin: "a count that is the same on every machine has to be chosen by who knows the guest",
	},
	handles: {
		unit: "handles",
		default: 1_000_000,
		bounds: "handles that a component instance holds at a time",
		origin:
			"a guest should have a few dozen, but StarlingMonkey (componentize-js 0.23) leaks a pollable for every 8 KiB of a body that it reads; at some 100 bytes each, 100 MB of the host's",
	},
	streams: {
		unit: "streams",
		default: 10_000,
		bounds: "streams and futures of the component model that a sandbox has made, at a time",
		origin: "an end in the host's hands counts as no handle; each costs the host some 1 KiB",
	},
	values: {
		unit: "bytes",
		default: 128 * 1024 * 1024,
		bounds: "what the lists of one call become in the host, with all that is in them, by an estimate",
		origin:
			"as much as Wasmtime lets a call copy; an empty list of 8 bytes becomes an object of 200, and many may be one piece of memory",
	},
	buffered: {
		unit: "bytes",
		default: 16 * 1024 * 1024,
		bounds: "HTTP fields held for a sandbox, and its unsent bodies (64 KiB each, whatever is in them)",
		origin: "32 requests under way, each with as many fields as it may have, and as much again",
	},
	output: {
		unit: "bytes",
		default: 64 * 1024,
		bounds: "standard output of a call, and as much of standard error, that reaches the log",
		origin: "a stack trace and what led to it",
	},
	hostCalls: {
		unit: "calls",
		default: 100_000_000,
		bounds: "calls of a sandbox into the host, and from one of its components to another",
		origin: "more than a CPU limit of seconds lets through: for those who want less",
	},
};

/**
 * How a guest that holds the thread is stopped. `yield`: its loops and calls look at a flag, at which it gives way or ends; `trap`: at
 * which it ends; `fuel`: its instructions are counted, exactly; `off`: not at all, for guests that are trusted.
 */
export const METERING_MODES = ["yield", "trap", "fuel", "off"] as const;

export type MeteringMode = (typeof METERING_MODES)[number];

/** Limits by name; what is left out has its default. */
export type Limits = Readonly<Partial<Record<LimitName, number>>>;

/** The defaults, with what is given in their place. */
export function withDefaultLimits(given: Limits = {}): Readonly<Record<LimitName, number>> {
	const all = Object.fromEntries(Object.entries(LIMITS).map(([name, row]) => [name, row.default]));
	for (const [name, value] of Object.entries(given)) if (value !== undefined) all[name] = value;
	return all as Record<LimitName, number>;
}

/**
 * Refuses limits that nothing would look at.
 * @param given without those that are defaults
 * @throws SkerryError `engine/options`
 */
export function checkMetered({ fuel = Infinity, cpu = Infinity }: Limits, metering: MeteringMode): void {
	if (fuel !== Infinity && metering !== "fuel") {
		throw new SkerryError("engine/options", `Cannot count fuel with metering ${metering}`, {
			hint: 'the limit "fuel" needs metering "fuel"',
		});
	}
	if (cpu !== Infinity && metering === "off") {
		throw new SkerryError("engine/options", "Cannot limit cpu with metering off: nothing would stop the guest", {
			hint: 'the limit "cpu" needs another metering, such as "trap"; without metering, leave the limit out',
		});
	}
}

/** A guest was ended because it reached a limit: `killed: cpu 50 ms (limit "cpu" of app x)`. */
export class LimitExceeded extends SkerryError {
	override readonly name: string = "LimitExceeded";
	readonly limit: LimitName;
	/** What was allowed, in the limit's unit. */
	readonly allowed: number;
	/** Whose guest it was, as `load` was told. */
	readonly app: string | undefined;
	/** The last of what the call wrote to standard error, as of a `Trap`. */
	readonly stderr: string | undefined = undefined;

	/**
	 * @param app whose limit it is; left out where there is but one guest
	 * @param state what it was that took so long, where that is known
	 */
	constructor(limit: LimitName, allowed: number, app?: string, state?: string) {
		const of = app === undefined ? "" : ` of app ${app}`;
		const why = state === undefined ? "" : `: ${state}`;
		super("guest/killed", `killed: ${limit} ${formatLimit(limit, allowed)} (limit "${limit}"${of})${why}`);
		this.app = app;
		this.limit = limit;
		this.allowed = allowed;
	}
}

const SIZES: readonly (readonly [number, string])[] = [
	[1 << 30, "GiB"],
	[1 << 20, "MiB"],
	[1 << 10, "KiB"],
];

/** `64 MiB`, `50 ms`, `1000 handles`: as `--limit.*` and manifests take it, but for the space. */
export function formatLimit(name: LimitName, value: number): string {
	const { unit } = LIMITS[name];
	if (unit !== "bytes") return `${value} ${unit}`;
	const [size, suffix] = SIZES.find(([s]) => value >= s && value % s === 0) ?? [1, "bytes"];
	return `${value / size} ${suffix}`;
}
