/** What an embedder asks for, checked before anything is done: by a slip in a name, a guest would go without its limit. */
import { Readable } from "node:stream";
import { LIMIT_NAMES, LIMITS, type LimitName, METERING_MODES, nearest, SkerryError } from "../fault/mod.ts";

/** What an option may be; a function says what is wrong with the value at `path`, if anything is. */
type Kind = (value: unknown, path: string) => readonly string[];

type Table = Readonly<Record<string, Kind>>;

const expect =
	(what: string, fits: (value: unknown) => boolean): Kind =>
	(value, path) =>
		fits(value) ? [] : [`${path} must be ${what}, and is ${describe(value)}`];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
	typeof value === "object" && value !== null && !Array.isArray(value);

/** An object of the keys in `table`, and no others. */
const objectOf =
	(table: Table): Kind =>
	(value, path) => {
		if (!isObject(value)) return [`${path} must be an object, and is ${describe(value)}`];
		return Object.entries(value).flatMap(([key, inner]) => {
			const name = path === OPTIONS ? key : `${path}.${key}`;
			const kind = Object.hasOwn(table, key) ? table[key] : undefined;
			if (kind !== undefined) return inner === undefined ? [] : kind(inner, name);
			const near = nearest(key, Object.keys(table));
			return [`there is no ${name}${near === undefined ? "" : ` (did you mean ${near}?)`}`];
		});
	};

/** An object of whatever names, each value of one kind. */
const recordOf =
	(kind: Kind): Kind =>
	(value, path) =>
		isObject(value)
			? Object.entries(value).flatMap(([key, inner]) => kind(inner, `${path}.${key}`))
			: [`${path} must be an object, and is ${describe(value)}`];

const isString = (value: unknown): boolean => typeof value === "string";
const boolean = expect("true or false", (value) => typeof value === "boolean");
const called = expect("a function", (value) => typeof value === "function");
const string = expect("a string", isString);
const strings = expect("an array of strings", (value) => Array.isArray(value) && value.every(isString));
const list = expect("an array of objects", (value) => Array.isArray(value) && value.every(isObject));
const writable = expect("a Writable of node:stream", (value) => {
	return isObject(value) && ["write", "on", "off"].every((name) => typeof value[name] === "function");
});
const anything: Kind = () => [];

const limit = (name: LimitName): Kind => {
	const { unit } = LIMITS[name];
	return expect(`a number of ${unit === "ms" ? "milliseconds" : unit}, or Infinity`, (value) => {
		return typeof value === "number" && value >= 0;
	});
};

const LIMITS_OF_ALL: Table = Object.fromEntries(LIMIT_NAMES.map((name) => [name, limit(name)]));

const limits = objectOf({
	...LIMITS_OF_ALL,
	stack: (_, path) => [`${path} is of the whole process: it is given to Engine`],
});

const grants = objectOf({
	args: strings,
	env: recordOf(string),
	stdin: expect("a string, bytes, a Readable of node:stream, or a function that gives one", (value) => {
		return isString(value) || typeof value === "function" || value instanceof Uint8Array || value instanceof Readable;
	}),
	stdout: writable,
	stderr: writable,
	terminal: objectOf({ stdin: boolean, stdout: boolean, stderr: boolean }),
	folders: recordOf((value, path) =>
		isString(value) ? [] : objectOf({ path: string, readOnly: boolean })(value, path),
	),
	allowOutbound: strings,
	onDenied: called,
});

const GUEST: Table = {
	limits,
	metering: expect(`one of ${METERING_MODES.join(", ")}`, (value) => METERING_MODES.some((mode) => mode === value)),
	features: objectOf({ stackful: boolean, threads: boolean, asyncCancel: boolean }),
	lenientCancel: boolean,
	sharedBuffers: boolean,
	onGrow: called,
	onStreamError: called,
};

/** The place of what has no name of its own. */
const OPTIONS = "the options";

/** What cannot be done when the options are wrong. */
type Deed = "make the engine" | "load the guest" | "make the sandbox" | "call the guest" | "compose";

const TABLES: Readonly<Record<Deed, Kind>> = {
	"make the engine": objectOf({
		...GUEST,
		limits: objectOf(LIMITS_OF_ALL),
		cache: expect("a folder's path or false", (value) => isString(value) || value === false),
		onWarning: called,
	}),
	"load the guest": objectOf({
		...GUEST,
		imports: recordOf(
			expect("an object of functions, or a function", (value) => isObject(value) || typeof value === "function"),
		),
		wasi: grants,
		app: string,
		warm: expect("a number of sandboxes", (value) => Number.isSafeInteger(value) && (value as number) >= 0),
		dedicated: boolean,
	}),
	"make the sandbox": objectOf({ wasi: grants, limits }),
	"call the guest": objectOf({ signal: expect("an AbortSignal", (value) => value instanceof AbortSignal) }),
	// What does not fit together is found by `link/graph`.
	compose: (value, path) => {
		const wrong = objectOf({ nodes: recordOf(anything), edges: list, exports: list })(value, path);
		const needed = isObject(value) ? ["nodes", "edges"].filter((name) => value[name] === undefined) : [];
		return [...wrong, ...needed.map((name) => `${name} is missing`)];
	},
};

/**
 * Checks what is said by whoever writes JavaScript, whom no compiler tells.
 * @throws SkerryError `engine/options` with all that is wrong
 */
export function checkOptions(deed: Deed, options: unknown): void {
	const problems = TABLES[deed](options, OPTIONS);
	if (problems.length === 0) return;
	const what = problems.length === 1 ? problems[0] : [`${problems.length} problems`, ...problems].join("\n  - ");
	throw new SkerryError("engine/options", `Cannot ${deed}: ${what}`);
}

function describe(value: unknown): string {
	if (typeof value === "string") return JSON.stringify(value);
	if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
	return typeof value === "function" ? "a function" : String(value);
}
