import type { TrapFrame } from "../../fault/mod.ts";
import { findOrigin, isAdded, type Sites } from "../../rewrite/mod.ts";
import type { WasmInstance } from "./v8.ts";

/** What is known of the module of an instance, for its frames in traps. */
export interface ModuleOrigin {
	/** Where the module as its author built it starts in the outermost binary. */
	readonly offset: number;
	/** Where its code was before it was rewritten; `same`: where it is; `undefined` where that is not known. */
	readonly sites: Sites | "same" | undefined;
}

const AS_IT_IS: ModuleOrigin = { offset: 0, sites: "same" };

/** One frame of a stack as V8 knows it (V8's stack trace API). Those of guests have the instance as `this`. */
interface CallSite {
	getThis(): unknown;
	getFunctionName(): string | null;
	getScriptNameOrSourceURL(): string | null;
	getPosition(): number;
	toString(): string;
}

interface V8ErrorConstructor {
	prepareStackTrace?: ((error: Error, sites: CallSite[]) => unknown) | undefined;
}

/** Instances of guests. */
const origins = new WeakMap<object, ModuleOrigin>();
/** Instances of our own, which are left out of stacks. */
const own = new WeakSet<object>();
/** The module of instances that are not there yet: one whose start function runs. */
let starting: ModuleOrigin | undefined;

/**
 * Makes the instance of a guest known, which `make` instantiates.
 * @param origin left out for a module that runs as it is and is not part of anything
 * @param complete what else makes the instance, its start function included
 * @param refusal the error to throw in place of that of `make`; a trap of the start function still finds its frames there
 */
export function withOrigin(
	origin: ModuleOrigin | undefined,
	make: () => WasmInstance,
	refusal: (error: unknown) => unknown,
	complete?: (instance: WasmInstance) => void,
): WasmInstance {
	const before = starting;
	starting = origin ?? AS_IT_IS;
	try {
		const instance = make();
		origins.set(instance, origin ?? AS_IT_IS);
		complete?.(instance);
		return instance;
	} catch (error) {
		throw refusal(error);
	} finally {
		starting = before;
	}
}

/** Makes an instance known that is no guest's. */
export function leaveOut(instance: WasmInstance): void {
	own.add(instance);
}

interface Stack {
	readonly frames: TrapFrame[];
	/** Of the innermost frame. */
	readonly isOwn: boolean | undefined;
}

/** V8 gives the frames of an error only once. */
const stacks = new WeakMap<Error, Stack>();

/** The guest's frames of an error that V8 has just thrown, innermost first, without the host's and the engine's own. */
export function readFrames(error: Error): TrapFrame[] {
	return readStack(error).frames;
}

/**
 * Whether an instruction of the guest's own has trapped, not one that was put into its functions; `undefined` where that is not known.
 * Where it was not, nobody is told of any frames.
 */
export function isOwnTrap(error: Error): boolean | undefined {
	return readStack(error, true).isOwn;
}

/** @param isStop whether it is one, unless the guest's own instruction has trapped: then its caller waits, and frames are not read. */
function readStack(error: Error, isStop = false): Stack {
	let stack = stacks.get(error);
	if (stack === undefined) {
		stack = takeStack(error, isStop);
		stacks.set(error, stack);
	}
	return stack;
}

/** V8 formats a stack when it is first asked for, and hands over its frames then. */
function takeStack(error: Error, isStop: boolean): Stack {
	const constructor = Error as unknown as V8ErrorConstructor;
	const before = constructor.prepareStackTrace;
	let frames: TrapFrame[] = [];
	let isGuests: boolean | undefined;
	constructor.prepareStackTrace = (of, sites) => {
		if (of === error) {
			isGuests = sites[0] && isOwn(sites[0]);
			if (isStop && isGuests === false) return String(of);
			frames = sites.flatMap((site) => toFrame(site) ?? []);
		}
		// As V8 does it by itself: for who looks at the trap's cause
		return [String(of), ...sites.map((site) => `    at ${site.toString()}`)].join("\n");
	};
	try {
		void error.stack;
	} finally {
		if (before === undefined) delete constructor.prepareStackTrace;
		else constructor.prepareStackTrace = before;
	}
	return { frames, isOwn: isGuests };
}

const SCRIPT = /^wasm:\/\/wasm\/(?:(.*)-)?[0-9a-f]{8}$/s;

/** Of a frame of a guest's, what was put behind its own functions included. */
interface Place {
	readonly instance: WasmInstance;
	readonly origin: ModuleOrigin;
	/** Of the module, if it has one. */
	readonly name: string | undefined;
	/** Of the function. */
	readonly index: number;
}

function placeOf(site: CallSite): Place | undefined {
	const script = SCRIPT.exec(site.getScriptNameOrSourceURL() ?? "");
	const place = /wasm-function\[(\d+)\]:0x[0-9a-f]+\)?$/.exec(site.toString());
	const instance = site.getThis();
	if (script === null || place === null || typeof instance !== "object" || instance === null) return undefined;
	const origin = origins.get(instance) ?? (own.has(instance) ? undefined : starting);
	if (origin === undefined) return undefined;
	return { instance: instance as WasmInstance, origin, name: script[1], index: Number(place[1]) };
}

function isOwn(site: CallSite): boolean | undefined {
	const { origin, index } = placeOf(site) ?? {};
	const sites = origin?.sites;
	if (typeof sites !== "object") return sites === undefined ? undefined : true;
	// Those that were put behind the guest's do for it what it may not do itself, and have checks, too
	return index === undefined || index >= sites.functions ? undefined : !isAdded(sites, site.getPosition());
}

function toFrame(site: CallSite): TrapFrame | undefined {
	const place = placeOf(site);
	if (place === undefined) return undefined;
	const { instance, origin, index } = place;
	const { sites } = origin;
	if (typeof sites === "object" && index >= sites.functions) return undefined;
	const position = site.getPosition();
	return {
		name: site.getFunctionName() ?? exportedName(instance, index),
		index,
		module: place.name,
		offset: typeof sites === "object" ? findOrigin(sites, position) : sites && position,
		moduleOffset: origin.offset,
	};
}

/** What the engine exports of a guest begins so. */
const OWN = "skerry:";

/** The name of an exported function is its index. */
function exportedName(instance: WasmInstance, index: number): string | undefined {
	const exports = Object.entries(instance.exports ?? {});
	const found = exports.find(
		([name, item]) => typeof item === "function" && item.name === String(index) && !name.startsWith(OWN),
	);
	return found?.[0];
}
