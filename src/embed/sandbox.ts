import { GuestResource, type Surfaced } from "../abi/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import type { GuestMemory, Instance, Linked } from "../link/mod.ts";
import type { WasiContext } from "../wasi/mod.ts";
import { checkOptions } from "./check-options.ts";
import {
	bindSync,
	callExport,
	createExports,
	type ExportedFunction,
	type Exports,
	type ExportType,
	isPlain,
	settle,
	type SyncExports,
	typeOf,
} from "./exports.ts";
import { withStderr } from "./guest-error.ts";
import { findInside } from "./inside.ts";
import type { CallOptions } from "./options.ts";
import { type Caller, ResourceClasses } from "./resources.ts";

/** Of the limits of these names. */
export interface Usage {
	/** Milliseconds; of calls that take microseconds, an estimate. */
	readonly cpu: number;
	/** Instructions, with metering `fuel`; else 0. */
	readonly fuel: number;
	readonly hostCalls: number;
}

/** One instance of a component or core module with its own memories, handles and grants. Dispose it when done: `using sandbox = component.instantiate()`. */
export class Sandbox<E extends object = Exports> implements Disposable {
	readonly exports: E;
	readonly #plan: Linked["plan"];
	readonly #instance: Instance;
	readonly #context: WasiContext;
	readonly #classes: ResourceClasses;
	/** Its guest cannot call the host. */
	readonly #cannotWait: boolean;
	#sync: SyncExports<E> | undefined;
	#calls = 0;
	#disposed = false;
	/** Destructors that run, or wait. */
	#dropping: Promise<void> | undefined;
	/** Told when the last call that is under way has ended. */
	#atRest: PromiseWithResolvers<void> | undefined;

	/** Made by `Component.instantiate`. */
	constructor(plan: Linked["plan"], context: WasiContext, instantiate: () => Instance) {
		this.#plan = plan;
		this.#context = context;
		try {
			this.#instance = instantiate();
		} catch (error) {
			context.end();
			throw withStderr(error, context);
		}
		this.#cannotWait = this.#instance.beginEachCall();
		const caller: Caller = (path, args) => this.call(path, args);
		this.#classes = new ResourceClasses(caller, (...drop) => this.#drop(...drop));
		this.exports = createExports(plan.exports, (path, type) => this.#bind(path, type), this.#classes) as E;
	}

	#bind(path: readonly string[], type: ExportType): ExportedFunction {
		const call: ExportedFunction = (...args) => this.call(path, args);
		if (this.#plan.async) return this.#bindAtOnce(path, type, call);
		const alone = !this.#cannotWait;
		if (alone && !this.#isImmediate(path)) return call;
		let sync: ((...args: unknown[]) => unknown) | undefined;
		return (...args) => {
			if (this.#disposed || args.length !== type.params.length) return call(...args);
			// Calls that wait are under way, whose limits would begin anew.
			if (alone && (this.#calls > 0 || this.#dropping !== undefined)) return call(...args);
			try {
				return Promise.resolve((sync ??= this.#bindSync(path, type))(...args));
			} catch (error) {
				return Promise.reject(error);
			}
		};
	}

	/** Calls of an asynchronous component that find everything at rest mostly return at once: these need nothing but the promise they give. */
	#bindAtOnce(path: readonly string[], type: ExportType, call: ExportedFunction): ExportedFunction {
		const found = this.#instance.function(path);
		if (found === undefined || !("invoke" in found) || found.invoke === undefined) return call;
		const { invoke } = found;
		const name = path.join("#");
		const { length } = type.params;
		const plain = isPlain(type);
		const follow = (given: unknown, ...args: unknown[]): Promise<unknown> => {
			if (!(given instanceof Promise) && this.#instance.isSettled) {
				return plain ? settled(given) : settle(type, given, this.#classes.wardrobe);
			}
			const goOn = (): Promise<unknown> => this.#limited(() => given, false);
			return callExport(type, name, args, goOn, this.#classes.wardrobe);
		};
		let brief: typeof invoke | undefined;
		// Passed on as they come, arguments need no array in calls that do not get here.
		const slowly = (...args: unknown[]): Promise<unknown> => {
			const rests = this.#calls === 0 && this.#dropping === undefined && this.#instance.isSettled;
			if (!rests || this.#disposed || args.length !== length) return call(...args);
			this.#begin();
			// It counts from here, also for what the host's own code calls while its arguments are looked at.
			this.#calls = 1;
			let given: unknown;
			try {
				given = invoke(...args);
			} catch (error) {
				given = Promise.reject(error);
			}
			this.#calls = 0;
			brief = found.brief;
			return follow(given, ...args);
		};
		return (...args) => {
			if (brief === undefined || this.#calls > 0 || this.#dropping !== undefined || args.length !== length) {
				return slowly(...args);
			}
			// V8 does not put into its caller what is called with all of an array
			const value = length === 1 ? brief(args[0]) : length === 2 ? brief(args[0], args[1]) : brief(...args);
			if (typeof value !== "object") return settled(value);
			return value === null ? slowly(...args) : follow((value as Surfaced).given, ...args);
		};
	}

	/**
	 * The exported functions once more, which return what the guest does at once: for calls that are too short to be awaited. Limits count
	 * for each of them. There are none where a call could wait: where the component imports functions (WASI's, too) or is asynchronous.
	 * @throws SkerryError `call/may-wait`
	 */
	get sync(): SyncExports<E> {
		if (!this.#cannotWait) {
			throw new SkerryError(
				"call/may-wait",
				"Cannot call the sandbox without a promise: its guest may wait for the host",
				{
					hint: "use `exports`, and await its functions: a guest waits for what it imports, and with metering yield or fuel for its turn",
				},
			);
		}
		return (this.#sync ??= createExports(this.#plan.exports, (path, type) =>
			this.#bindSync(path, type),
		) as SyncExports<E>);
	}

	/** Whether the guest returns from it without coming to the host, though others of its functions may. */
	#isImmediate(path: readonly string[]): boolean {
		const found = this.#instance.function(path);
		return found !== undefined && "immediate" in found && found.immediate;
	}

	#bindSync(path: readonly string[], type: ExportType): (...args: unknown[]) => unknown {
		const found = this.#instance.function(path);
		const name = path.join("#");
		const call = (...args: unknown[]): unknown => {
			if (this.#disposed) throw disposedError(name);
			this.#instance.begin();
			return found?.call(args);
		};
		const invoke = this.#cannotWait && found !== undefined && "invoke" in found ? found.invoke : call;
		return bindSync(type, name, invoke, this.#classes.wardrobe);
	}

	/** Calls an export by its names in the binary: `["wasi:cli/run@0.2.3", "run"]`; of a core module `["_start"]`. */
	async call(path: readonly string[], args: readonly unknown[], options?: CallOptions): Promise<unknown> {
		if (options !== undefined) checkOptions("call the guest", options);
		const signal = options?.signal;
		const type = typeOf(this.#plan.exports, path);
		const name = path.join("#");
		signal?.throwIfAborted();
		if (this.#disposed) throw disposedError(name);
		const waits = this.#plan.async ? findInside(this.#context) : undefined;
		if (waits !== undefined) {
			throw new SkerryError(
				"call/reentrant",
				`Cannot call ${name}: the sandbox waits for ${waits}, which makes the call`,
				{
					hint: "make the call when the function has returned, or let the world import it as async",
				},
			);
		}
		// A guest is entered once at a time
		while (this.#dropping !== undefined) await this.#dropping;
		if (!("results" in type) && this.#isBusy) throw busyError(`call ${name}`);
		const call = (values: readonly unknown[]): unknown =>
			this.#limited(() => this.#instance.function(path)?.call(values, signal));
		return await callExport(type, name, args, call, this.#classes.wardrobe);
	}

	/** The limits of a call count from its start; calls that are under way at the same time have them together. */
	async #limited(call: () => unknown, begins = true): Promise<unknown> {
		if (this.#calls++ === 0 && begins) this.#begin();
		try {
			return await call();
		} catch (error) {
			throw withStderr(error, this.#context);
		} finally {
			if (--this.#calls === 0) {
				this.#atRest?.resolve();
				this.#atRest = undefined;
			}
			// Tasks go on after they have returned.
			if (this.#plan.async) void this.#instance.settled;
		}
	}

	#begin(): void {
		this.#instance.begin();
		this.#context.forgetStderr();
	}

	/** A memory that a core module exports. */
	memory(name = "memory"): GuestMemory {
		return this.#instance.memory(name);
	}

	/** Whether calls keep others out: those of asynchronous components wait for their turn in the guest. */
	get #isBusy(): boolean {
		return this.#calls > 0 && !this.#plan.async && this.#instance.store.occupied;
	}

	/**
	 * Drops a resource of the guest that a call returned: its destructor runs. Calls that are made meanwhile begin after it.
	 * @throws SkerryError `call/reentrant` while a call waits for the host, in a sandbox that takes one at a time
	 */
	async drop(resource: GuestResource): Promise<void> {
		await this.#drop(resource, false);
	}

	/** @param deferred once no call keeps it out: for those who do not wait for it, as the call that does may wait for them */
	async #drop(resource: GuestResource, deferred: boolean): Promise<void> {
		while (this.#dropping !== undefined || this.#isBusy) {
			if (this.#dropping !== undefined) await this.#dropping;
			else if (!deferred) throw busyError(`drop resource ${GuestResource.typeOf(resource).name}`);
			else await (this.#atRest ??= Promise.withResolvers<void>()).promise;
		}
		if (this.#disposed) return;
		const dropping = this.#limited(() => this.#instance.store.drop(resource)) as Promise<void>;
		const settled = dropping
			.catch(() => {})
			.then(() => {
				if (this.#dropping === settled) this.#dropping = undefined;
			});
		this.#dropping = settled;
		await dropping;
	}

	/**
	 * What the last call has used, or the one that is under way, of a sandbox that has ended, too; before the first, what making the sandbox did. Calls that are under way at the same time
	 * have it together. `fuel` is the same on every run and machine.
	 */
	get usage(): Usage {
		const { cpu, fuel, hostCalls } = this.#instance.usage;
		return { cpu, fuel, hostCalls };
	}

	/** Handles that the guest holds now. */
	get handles(): number {
		return this.#instance.store.handles;
	}

	/** Ends what runs or waits in it; the callers get an error. Idempotent. */
	[Symbol.dispose](): void {
		this.#disposed = true;
		this.#instance.store.gone = () => disposedError("the guest");
		try {
			this.#context.end();
		} finally {
			this.#instance.dispose(new SkerryError("guest/killed", "the sandbox was disposed"));
		}
	}
}

function disposedError(name: string): SkerryError {
	return new SkerryError("guest/killed", `Cannot call ${name}: the sandbox was disposed`);
}

function busyError(what: string): SkerryError {
	return new SkerryError("call/reentrant", `Cannot ${what}: the sandbox is in a call that has not ended`, {
		hint: "await that call first, or make another sandbox: this one takes one call at a time",
	});
}

/** V8 makes the promise of an async function in less time than any other. */
async function settled(value: unknown): Promise<unknown> {
	return value;
}
