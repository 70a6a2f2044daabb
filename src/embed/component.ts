import type { PageMapper } from "../engine/mod.ts";
import {
	checkMetered,
	type Limits,
	messageOf,
	type MeteringMode,
	SkerryError,
	withDefaultLimits,
} from "../fault/mod.ts";
import type { Linked } from "../link/mod.ts";
import { SandboxPool, type SharedSlots } from "../pool/mod.ts";
import { createWasiContext } from "../wasi/mod.ts";
import { checkOptions } from "./check-options.ts";
import { callExport, createExports, type Exports, typeOf } from "./exports.ts";
import { type GrantsAndLimit, SHARED_CLIENT, toWasiOptions } from "./grants.ts";
import { withStderr } from "./guest-error.ts";
import type { Loaded } from "./linking.ts";
import type { CallOptions, GuestOptions, InstantiateOptions } from "./options.ts";
import { Sandbox } from "./sandbox.ts";

interface ComponentInit extends Loaded {
	readonly limits: Limits;
	readonly grants: GrantsAndLimit;
	readonly warm: number;
	readonly mapper: PageMapper | undefined;
	readonly slots: SharedSlots | undefined;
	readonly app: string | undefined;
	readonly onGrow: GuestOptions["onGrow"];
	readonly onStreamError: (error: unknown) => void;
}

/** Why a sandbox ends after its call; made once, for a stack costs more than the reset. */
const CALL_OVER = new SkerryError("guest/killed", "the call is over");

/** A component, or a core module, that is ready to run. */
export class Component<E extends object = Exports> {
	readonly kind: "component" | "core module";
	/** The names of what it imports, as in the binary; of a core module `module.name`. */
	readonly imports: readonly string[];
	/**
	 * The exported functions. Each call gets a fresh sandbox, which ends with the call: no call sees what another left behind.
	 * For calls that share state, or return resources, or whose memory you want to read, use `instantiate`.
	 */
	readonly exports: E;
	readonly #plan: Linked["plan"];
	readonly #grants: GrantsAndLimit;
	readonly #limits: Limits;
	readonly #metering: MeteringMode;
	readonly #pool: SandboxPool;
	readonly #onStreamError: (error: unknown) => void;
	/** A core module that is to be told before it is called. */
	readonly #isReactor: boolean;

	/** Made by `Engine.load`. */
	constructor({
		linked,
		kind,
		imports,
		grants,
		limits,
		warm,
		mapper,
		slots,
		app,
		onGrow,
		onStreamError,
	}: ComponentInit) {
		this.#onStreamError = onStreamError;
		this.kind = kind;
		this.imports = imports;
		this.#plan = linked.plan;
		const { params, results } = this.coreType(INITIALIZE) ?? {};
		this.#isReactor = params?.length === 0 && results?.length === 0;
		this.#metering = linked.metering;
		this.#grants = grants;
		this.#limits = limits;
		this.#pool = new SandboxPool(linked, {
			wasi: () => toWasiOptions(grants, SHARED_CLIENT),
			warm,
			slots,
			mapper,
			limits,
			...(app === undefined ? {} : { app }),
			...(onGrow === undefined ? {} : { onGrow }),
		});
		this.exports = createExports(
			linked.plan.exports,
			(path) =>
				(...args) =>
					this.call(path, args),
		) as E;
	}

	/** The names of what it exports, as in the binary. */
	get exportNames(): readonly string[] {
		return [...this.#plan.exports.keys()];
	}

	/** The type of a function that a core module exports: `{ params: ["i32"], results: [] }`; `undefined` where there is none. */
	coreType(name: string): { readonly params: readonly string[]; readonly results: readonly string[] } | undefined {
		const found = this.#plan.exports.get(name);
		return found?.kind === "core" ? found.type : undefined;
	}

	/**
	 * Calls an export in a fresh sandbox, by its names in the binary: `["wasi:cli/run@0.2.3", "run"]`; of a core module `["_start"]`. The
	 * sandbox ends with the call, and begins with `_initialize` where a core module has that; where components are asynchronous, once the guest's tasks have ended, and the streams and futures between
	 * it and the host, too.
	 */
	async call(path: readonly string[], args: readonly unknown[], options?: CallOptions): Promise<unknown> {
		if (options !== undefined) checkOptions("call the guest", options);
		const signal = options?.signal;
		const type = typeOf(this.#plan.exports, path);
		const sandbox = await this.#pool.acquire();
		const endFor = (reason: unknown): void => {
			try {
				sandbox.end(reason);
			} catch (error) {
				warnOfEnd(error);
			}
		};
		const abort = (): void => endFor(signal?.reason);
		const end = (): void => {
			signal?.removeEventListener("abort", abort);
			endFor(CALL_OVER);
		};
		signal?.addEventListener("abort", abort);
		sandbox.report = this.#onStreamError;
		sandbox.warn = warnOfEnd;
		let settled: Promise<void> | undefined;
		try {
			return await callExport(type, path.join("#"), args, async (values) => {
				signal?.throwIfAborted();
				if (this.#isReactor && path[0] !== INITIALIZE) await sandbox.call([INITIALIZE], []);
				const result = await sandbox.call(path, values);
				if (this.#plan.async) settled = sandbox.settled;
				return result;
			});
		} catch (error) {
			throw withStderr(error, sandbox.context);
		} finally {
			if (settled === undefined) end();
			else void settled.then(end);
		}
	}

	/**
	 * A sandbox of its own, kept until it is disposed.
	 * @throws SkerryError `engine/options`
	 */
	instantiate(options: InstantiateOptions = {}): Sandbox<E> {
		checkOptions("make the sandbox", options);
		const limits = { ...this.#limits, ...options.limits };
		checkMetered(options.limits ?? {}, this.#metering);
		const outputLimit = options.limits?.output ?? this.#grants.outputLimit;
		const grants = toWasiOptions({ ...this.#grants, ...options.wasi, outputLimit }, SHARED_CLIENT);
		const { app } = this.#grants;
		const context = createWasiContext(grants, { buffered: withDefaultLimits(limits).buffered, app });
		return new Sandbox(this.#plan, context, () => {
			const instance = this.#pool.instantiate(context, limits);
			instance.store.report = this.#onStreamError;
			instance.store.warn = warnOfEnd;
			return instance;
		});
	}
}

/** WASI's application ABI (legacy/application-abi.md): a reactor's, called once, before anything else. */
const INITIALIZE = "_initialize";

/** What the call came to is what its caller is told; and where it has returned, or a signal ends it, nobody is there who could be. */
function warnOfEnd(error: unknown): void {
	process.emitWarning(`what a guest held of the host was not given back cleanly: ${messageOf(error)}`, "SkerryWarning");
}
