import { passingOf } from "../../abi/mod.ts";
import { containsKind, type FunctionType, type ResourceType } from "../../component/mod.ts";
import { ANY, CoreCalls } from "./core-calls.ts";
import type { Builtin, CoreInstanceRef, CoreItem, LiftedFunction, Step, Trampoline } from "./plan.ts";

/** Bytes of modules that are decoded, and of code that is looked at, for one plan: a few milliseconds. What would take more counts as waiting. */
const MOST_BYTES = 1 << 20;
const MOST_CODE = 256 * 1024;
/** As many bytes of code an element of a table counts for. */
const ELEMENT = 8;

/** Built-ins that may have their caller wait, or run code of the host's: what it gave for a stream, say. */
const WAITING: ReadonlySet<Builtin["op"]> = new Set<Builtin["op"]>([
	"waitable-set.wait",
	"thread.yield",
	"thread.suspend",
	"thread.suspend-then-resume",
	"thread.yield-then-resume",
	"thread.suspend-then-promote",
	"thread.yield-then-promote",
	// Runs the callee, which may be suspended.
	"subtask.cancel",
	...(["stream", "future"] as const).flatMap((kind) =>
		(["read", "write", "cancel-read", "cancel-write", "drop-readable", "drop-writable"] as const).map(
			(verb) => `${kind}.${verb}` as const,
		),
	),
]);

/** Everything is numbered: functions of core instances, types of indirect calls, trampolines, component instances. */
type Node = number;

/** What stands for all that waits. */
const WAIT: Node = 0;

/** What of a plan needs a stack of its own. */
export interface Stackful {
	/** For each lifted function. */
	readonly lifted: readonly boolean[];
	/** Those whose destructor does: all that such a function drops do not. */
	readonly resources: ReadonlySet<ResourceType>;
}

/**
 * For each lifted function of a plan, whether a call of it needs a stack of its own, since it can come to something that waits (a call that
 * is to be awaited, a built-in that blocks) or to code of the host's: that may wait, too, and must have the room that a guest leaves it
 * only on a stack which is not the guest's. Asked over all calls that the core code could make: direct ones, and those of equal type
 * through tables. What is not known may wait.
 */
export function findStackful(
	lifted: readonly LiftedFunction[],
	steps: readonly Step[],
	modules: readonly { readonly bytes: Uint8Array }[],
): Stackful {
	return find(lifted, steps, modules, () => true);
}

/**
 * The same for a plan without tasks: what comes to the host may have to wait there. Only those are asked for that answer what they are
 * asked; a command, or what is to keep or to drop something of the host's, is taken to come to it, and costs nobody the time to look.
 */
export function findVisitors(
	lifted: readonly LiftedFunction[],
	steps: readonly Step[],
	modules: readonly { readonly bytes: Uint8Array }[],
): Stackful {
	if (!lifted.some(({ type }) => isQuestion(type))) {
		return {
			lifted: lifted.map(() => true),
			resources: new Set(steps.flatMap((step) => (step.kind === "resource" ? [step.resource] : []))),
		};
	}
	return find(lifted, steps, modules, isQuestion);
}

function isQuestion({ params, result }: FunctionType): boolean {
	const silent = result === null || (result.kind === "result" && result.ok === null && result.err === null);
	return !(silent && params.length === 0) && !params.some(({ type }) => containsKind(type, "own"));
}

/**
 * For each lifted function that another guest calls and passes only what is copied, whether all that such a call runs of the callee, its
 * realloc and post-return too, comes to no import of its component: nobody can ask then where the call is.
 */
export function findLeaves(
	lifted: readonly LiftedFunction[],
	steps: readonly Step[],
	modules: readonly { readonly bytes: Uint8Array }[],
): boolean[] {
	const called = new Set<LiftedFunction | undefined>();
	for (const step of steps) {
		if (step.kind !== "trampolines") continue;
		for (const trampoline of step.trampolines) {
			if (trampoline.kind !== "lower" || trampoline.callee.kind !== "lift") continue;
			if (passingOf(trampoline.callee.type) !== null) called.add(lifted[trampoline.callee.index]);
		}
	}
	if (called.size === 0) return lifted.map(() => false);
	const visits = new Reach(lifted, steps, modules, true).find((fn) => called.has(fn));
	return visits.map((visit) => !visit);
}

function find(
	lifted: readonly LiftedFunction[],
	steps: readonly Step[],
	modules: readonly { readonly bytes: Uint8Array }[],
	isWanted: (type: FunctionType) => boolean,
): Stackful {
	const wanted = ({ type }: LiftedFunction): boolean => isWanted(type);
	// Where there is nothing to wait for, nobody needs to look at code.
	const coarse = new Reach(lifted, steps, null);
	const known = coarse.find(wanted);
	if (!known.includes(true)) return { lifted: known, resources: coarse.findResources() };
	const exact = new Reach(lifted, steps, modules);
	return { lifted: exact.find(wanted), resources: exact.findResources() };
}

class Reach {
	readonly #lifted: readonly LiftedFunction[];
	/** `null`: any code may come to any trampoline. */
	readonly #modules: readonly { readonly bytes: Uint8Array }[] | null;
	/** Every trampoline counts as waiting, and all that a call runs is asked of. */
	readonly #strict: boolean;
	readonly #trampolines: Trampoline[] = [];
	/** By core instance: its module, and what it is given. */
	readonly #cores: { readonly module: number; readonly args: ReadonlyMap<string, CoreInstanceRef> }[] = [];
	readonly #resources = new Map<ResourceType, { readonly instance: number; readonly destructor: CoreItem | null }>();
	readonly #calls = new Map<number, CoreCalls | undefined>();
	readonly #nodes = new Map<string, Node>();
	/** Who comes to it. */
	readonly #callers: Node[][] = [[]];
	readonly #unseen: (() => void)[] = [];
	readonly #waits = new Set<Node>([WAIT]);
	#bytesLeft = MOST_BYTES;
	#codeLeft = MOST_CODE;
	/** All that was asked for is known to wait: the rest was not looked at. */
	#isOver = false;

	constructor(
		lifted: readonly LiftedFunction[],
		steps: readonly Step[],
		modules: readonly { readonly bytes: Uint8Array }[] | null,
		strict = false,
	) {
		this.#strict = strict;
		this.#lifted = lifted;
		this.#modules = modules;
		for (const step of steps) {
			if (step.kind === "trampolines") {
				for (const [i, trampoline] of step.trampolines.entries()) this.#trampolines[step.first + i] = trampoline;
			} else if (step.kind === "instantiate") {
				const args = new Map(step.args.map(({ name, instance }) => [name, instance]));
				this.#cores[step.slot] = { module: step.module, args };
			} else this.#resources.set(step.resource, step);
		}
	}

	/** True, too, of those that are not `wanted`. */
	find(wanted: (lifted: LiftedFunction) => boolean): boolean[] {
		const roots = this.#lifted.map((lifted) => (wanted(lifted) ? this.#liftedNode(lifted) : WAIT));
		// Most guests come to the host soon: then the rest does not matter.
		let known = 0;
		for (let next = this.#unseen.pop(); next !== undefined && known < roots.length; next = this.#unseen.pop()) {
			next();
			while (known < roots.length && this.#waits.has(roots[known] as Node)) known++;
		}
		this.#isOver = known === roots.length;
		return roots.map((node) => this.#waits.has(node));
	}

	/** Those whose destructor waits, after `find`: all where that has found no function that does not. */
	findResources(): ReadonlySet<ResourceType> {
		const found = [...this.#resources].map(([resource, { destructor }]) => {
			const isMoot = destructor === null || this.#isOver;
			return { resource, node: isMoot ? WAIT : this.#item(destructor) };
		});
		for (let next = this.#unseen.pop(); next !== undefined && !this.#isOver; next = this.#unseen.pop()) next();
		return new Set(found.flatMap(({ resource, node }) => (this.#waits.has(node) ? [resource] : [])));
	}

	/** The node of this name; where it is new, `look` finds out later what it comes to. */
	#node(name: string, look: (node: Node) => void): Node {
		let node = this.#nodes.get(name);
		if (node === undefined) {
			const made = (node = this.#callers.push([]) - 1);
			this.#nodes.set(name, made);
			this.#unseen.push(() => {
				if (!this.#waits.has(made)) look(made);
			});
		}
		return node;
	}

	#edge(from: Node, to: Node): void {
		this.#callers[to]?.push(from);
		if (!this.#waits.has(to) || this.#waits.has(from)) return;
		const found = [from];
		for (let node = found.pop(); node !== undefined; node = found.pop()) {
			if (this.#waits.has(node)) continue;
			this.#waits.add(node);
			for (const caller of this.#callers[node] ?? []) found.push(caller);
		}
	}

	#liftedNode(lifted: LiftedFunction): Node {
		return this.#node(`lift ${this.#lifted.indexOf(lifted)}`, (node) => {
			const { core, options } = lifted;
			if (options.async && options.callback === null) return this.#edge(node, WAIT);
			this.#edge(node, this.#item(core));
			// Its realloc and post-return may not leave the instance: who tries to is told so there.
			for (const item of this.#strict ? [options.realloc, options.postReturn] : []) {
				if (item !== null) this.#edge(node, this.#item(item));
			}
			if (options.callback !== null) this.#edge(node, this.#item(options.callback));
		});
	}

	#item(item: CoreItem): Node {
		if (item.kind === "trampoline") return this.#trampoline(item.index);
		if (this.#modules === null) return this.#node("code", (node) => this.#anyTrampoline(node));
		const calls = this.#coreCalls(item.slot);
		const fn = calls?.exports.get(item.name);
		return fn === undefined ? WAIT : this.#function(item.slot, fn);
	}

	#coreCalls(slot: number): CoreCalls | undefined {
		const module = this.#cores[slot]?.module ?? -1;
		if (!this.#calls.has(module)) {
			const bytes = this.#modules?.[module]?.bytes;
			const size = bytes?.length ?? 0;
			const fits = bytes !== undefined && size <= this.#bytesLeft;
			if (fits) this.#bytesLeft -= size;
			this.#calls.set(module, fits ? CoreCalls.of(bytes) : undefined);
		}
		return this.#calls.get(module);
	}

	#anyTrampoline(node: Node): void {
		for (const index of this.#trampolines.keys()) this.#edge(node, this.#trampoline(index));
	}

	#function(slot: number, fn: number): Node {
		return this.#node(`core ${slot} ${fn}`, (node) => {
			const calls = this.#coreCalls(slot) as CoreCalls;
			const imported = calls.imports[fn];
			if (imported !== undefined) return this.#edge(node, this.#imported(slot, imported));
			const size = calls.sizeOf(fn);
			this.#codeLeft -= size;
			if (size === 0 || this.#codeLeft < 0) return this.#edge(node, WAIT);
			try {
				const { functions, types } = calls.callsOf(fn);
				for (const callee of functions) this.#edge(node, this.#function(slot, callee));
				for (const type of types) this.#edge(node, this.#type(type));
			} catch {
				// It is malformed: V8 will say so.
				this.#edge(node, WAIT);
			}
		});
	}

	#imported(slot: number, { module, name }: { readonly module: string; readonly name: string }): Node {
		const from = this.#cores[slot]?.args.get(module);
		if (from === undefined) return WAIT;
		if (from.kind === "slot") return this.#item({ kind: "export", slot: from.slot, name });
		const item = from.exports.get(name);
		return item === undefined ? WAIT : this.#item(item);
	}

	/** An indirect call: tables may be shared by all. */
	#type(type: string): Node {
		return this.#node(`type ${type}`, (node) => {
			for (const slot of this.#cores.keys()) {
				const calls = this.#coreCalls(slot);
				if (calls === undefined) return this.#edge(node, WAIT);
				for (const [own, functions] of calls.taken) {
					if (type !== ANY && own !== ANY && own !== type) continue;
					this.#codeLeft -= functions.length * ELEMENT;
					if (this.#codeLeft < 0) return this.#edge(node, WAIT);
					for (const fn of functions) this.#edge(node, this.#function(slot, fn));
				}
			}
		});
	}

	#trampoline(index: number): Node {
		if (this.#strict) return WAIT;
		return this.#node(`trampoline ${index}`, (node) => {
			const callee = this.#calleeOf(this.#trampolines[index]);
			if (callee !== null) this.#edge(node, callee);
		});
	}

	/** What a trampoline comes to; `null` where no code but ours runs, and nothing waits. */
	#calleeOf(trampoline: Trampoline | undefined): Node | null {
		switch (trampoline?.kind) {
			case "lower": {
				const { callee, options, instance } = trampoline;
				if (callee.kind === "host") return WAIT;
				if (callee.type.async && !options.async) return WAIT;
				const owner = this.#lifted[callee.index]?.instance ?? instance;
				return this.#entering(owner, callee.type.async);
			}
			case "builtin": {
				return WAITING.has(trampoline.op) ? WAIT : null;
			}
			case "resource.new":
			case "resource.rep":
				return null;
			case "resource.drop": {
				const found = this.#resources.get(trampoline.resource);
				if (found === undefined) return WAIT;
				const { destructor, instance } = found;
				if (destructor === null) return null;
				return instance === trampoline.instance ? this.#item(destructor) : this.#entering(instance, false);
			}
			default:
				return WAIT;
		}
	}

	/**
	 * A call into a component instance may run whatever it has that is ready: of others, threads that were suspended, whose stacks
	 * somebody has to wait for. A call of what is not async also lets it go on with its tasks.
	 */
	#entering(instance: number, async: boolean): Node {
		return this.#node(`instance ${instance} ${async}`, (node) => {
			for (const lifted of this.#lifted) {
				if (lifted.instance !== instance) continue;
				this.#edge(node, lifted.type.async && !async ? WAIT : this.#liftedNode(lifted));
			}
			for (const found of this.#resources.values()) {
				if (found.instance === instance && found.destructor !== null) this.#edge(node, this.#item(found.destructor));
			}
			const threads = this.#trampolines.some(
				(trampoline) =>
					trampoline.kind === "builtin" && trampoline.instance === instance && trampoline.op === "thread.new-indirect",
			);
			if (threads) this.#edge(node, WAIT);
		});
	}
}
