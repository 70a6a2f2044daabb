import { SkerryError } from "../../fault/mod.ts";
import type { EngineExports, EngineImports, RewrittenModule } from "../../rewrite/mod.ts";
import { interruptFlag } from "../stop/flag.ts";
import { ELEMENT_BYTES, Holdings, type HoldingsOptions } from "./holdings.ts";
import { fillHostTable } from "../border/host-functions.ts";
import type { StartState } from "../memory/initial-state.ts";
import { threadNursery } from "../v8/nursery.ts";
import type { PageMapper } from "../memory/pages.ts";
import { threadSchedule } from "../stop/schedule.ts";
import { adoptMemory, createSlotMemory, type SlotMemory, WASM_PAGE } from "../memory/slot-memory.ts";
import { reserveStack } from "../v8/stack-size.ts";
import { trapGuest } from "../v8/trap-guest.ts";
import { hostFault } from "../v8/traps.ts";
import {
	webAssembly,
	type WasmExtern,
	type WasmGlobal,
	type WasmImports,
	type WasmInstance,
	type WasmMemory,
	type WasmModule,
	type WasmTable,
} from "../v8/v8.ts";

/**
 * Elements of the tables of a sandbox that are put back: JavaScript reads them one by one, some 0.1 µs each, while everybody waits. Where
 * there are more, a new sandbox is the cheaper one.
 */
const MOST_ELEMENTS = 32_768;

/** For each so many bytes of an object V8 takes so many milliseconds, which nothing interrupts. */
const LARGE_OBJECT = 1024 * 1024;
const LARGE_OBJECT_TIME = 2;

/** The same for the elements of a table, all of which V8 may have to move where it grows. */
const ELEMENT_TIME = 0.0001;
/** Elements of all tables from which on it takes long enough to look at the time. */
const MANY_ELEMENTS = 10_000;

/** What the engine has to give to an instance of a rewritten module. */
export interface OwnedParts extends Pick<RewrittenModule, "imports" | "exports"> {
	readonly initial: StartState;
}

export interface CoreMemoriesOptions extends HoldingsOptions {
	/**
	 * For memories that can be made small again; only for sandboxes that are to be reset, and in which no module writes data into the
	 * memory of another when it is instantiated.
	 */
	readonly mapper?: PageMapper | undefined;
	/** How large a memory is to become without being lost for a reset, in bytes: what others of its kind came to. */
	readonly capacity?: number;
	/** The state is written by an image that is attached afterwards: initial data and start functions are left out. */
	readonly imaged?: boolean;
}

/** The memories of the core instances of one sandbox, and who is to know how large they are; and what it holds, against its limits. */
export class CoreMemories {
	readonly holdings: Holdings;
	readonly #options: CoreMemoriesOptions;
	readonly #memories = new Map<WasmMemory, SlotMemory>();
	#keptElements = 0;
	#hasMade = false;
	/** Of each module that makes objects in V8's heap, what is left of the bytes that it was given; below zero while it asks for more. */
	readonly #heapLeft: WasmGlobal[] = [];

	constructor(options: CoreMemoriesOptions = {}) {
		this.#options = options;
		this.holdings = new Holdings(options);
	}

	/** Bytes of the largest of its memories now. */
	get largest(): number {
		let largest = 0;
		for (const { byteLength } of this.#memories.values()) largest = Math.max(largest, byteLength);
		return largest;
	}

	/** Whether its guests have made objects since they were last asked. */
	takeMade(): boolean {
		const made = this.#hasMade;
		this.#hasMade = false;
		return made;
	}

	/** Whether so many elements of tables more may be remembered, to be put back. */
	keepElements(amount: number): boolean {
		if (this.#keptElements + amount > MOST_ELEMENTS) return false;
		this.#keptElements += amount;
		return true;
	}

	/** What is known of a memory of V8's. */
	of(memory: WasmMemory): SlotMemory {
		let found = this.#memories.get(memory);
		if (found === undefined) this.#memories.set(memory, (found = adoptMemory(memory)));
		return found;
	}

	/**
	 * Adds to `imports` what the module imports of the engine.
	 * @returns what is to be done with the instance: before it, no code of the guest may run. Its start function runs as the last of it
	 * @throws LimitExceeded; SkerryError `link/instantiation` when there is no room for a memory
	 */
	prepare(module: WasmModule, parts: OwnedParts, imports: WasmImports): (instance: WasmInstance) => void {
		const { imports: owned } = parts;
		this.holdings.take("instances", 1);
		this.holdings.take("tables", parts.exports.tableElements);
		this.holdings.take("gcHeap", parts.exports.heapBytes ?? 0);
		if (owned !== undefined) imports[owned.module] = this.#create(owned, parts.exports.writesData);
		return (instance) => this.#complete(module, parts, imports, instance);
	}

	#create({ memories, flag }: EngineImports, writesData: boolean): Record<string, WasmExtern> {
		const imports: Record<string, WasmExtern> = flag === undefined ? {} : { [flag]: interruptFlag().memory };
		const { capacity } = this.#options;
		// V8 checks its own writes against the size that it knows, and would run into what is out of reach.
		const mapper = writesData ? undefined : this.#options.mapper;
		for (const { name, type } of memories) {
			this.holdings.take("memory", Number(type.limits.minimum) * WASM_PAGE);
			const made = createOwnMemory(type.limits, mapper, capacity);
			this.#memories.set(made.memory, made);
			imports[name] = made.memory;
		}
		return imports;
	}

	#complete(module: WasmModule, { exports, initial }: OwnedParts, imports: WasmImports, instance: WasmInstance): void {
		const { base = [], data } = initial;
		const memories =
			isEmpty(exports) && base.length === 0 && data.length === 0 ? [] : this.#importedBy(module, imports);
		const memory = (index: number): SlotMemory => memories[index] as SlotMemory;
		for (const pages of exports.pages) memory(pages.memory).watch(instance.exports[pages.name] as WasmGlobal);
		if (exports.heap !== undefined) this.#heapLeft.push(instance.exports[exports.heap] as WasmGlobal);
		if (exports.host !== undefined) {
			fillHostTable(instance.exports[exports.host] as WasmTable, {
				grow: (index, delta) => this.#grow(memory(index), delta),
				growTable: (index, delta) => this.#growTable(index, Number(BigInt.asUintN(64, delta))),
				allocate: (bytes) => this.#allocate(Number(bytes)),
			});
		}
		if (this.#options.imaged === true) return;
		for (const segments of [base, data]) {
			for (const { memory: index, offset, bytes } of segments) memory(index).bytes.set(bytes, offset);
		}
		for (const { name, value } of initial.globals) (instance.exports[name] as WasmGlobal).value = value;
		if (exports.start !== undefined) (instance.exports[exports.start] as () => void)();
	}

	#grow(memory: SlotMemory, delta: bigint): bigint {
		const amount = Number(BigInt.asUintN(64, delta)) * WASM_PAGE;
		if (!this.#mayGrow("memory", amount)) return -1n;
		const old = memory.byteLength / WASM_PAGE;
		if (memory.grow(delta)) return BigInt(old);
		this.holdings.giveBack("memory", amount);
		return -1n;
	}

	/** Runs the embedder's code. Whatever it does, what follows is done whole: the stack does not end in the midst of it. */
	#mayGrow(what: "memory" | "tables", amount: number): boolean {
		const schedule = threadSchedule();
		// Host functions have another stack than a guest that can be suspended.
		if (!schedule.suspendable) reserveStack();
		let grows = false;
		try {
			grows = this.holdings.grow(what, amount, (time) => schedule.affords(time));
		} catch (error) {
			schedule.current?.guest.fail(hostFault(error));
		}
		return schedule.current?.guest.failed === true ? trapGuest() : grows;
	}

	/** A negative index: what was granted before, V8 does not have. */
	#growTable(index: number, delta: number): number {
		const { holdings } = this;
		if (index < 0) {
			holdings.giveBack("tables", delta);
			return 0;
		}
		if (!this.#mayGrow("tables", delta)) return 0;
		const elements = holdings.held.tables;
		const schedule = threadSchedule();
		if (elements > MANY_ELEMENTS && !schedule.affords(elements * ELEMENT_TIME)) {
			holdings.giveBack("tables", delta);
			return 0;
		}
		if (elements > MANY_ELEMENTS && !this.#makes(delta * ELEMENT_BYTES)) {
			holdings.giveBack("tables", delta);
			return 0;
		}
		return 1;
	}

	#allocate(bytes: number): bigint {
		const schedule = threadSchedule();
		if (bytes > LARGE_OBJECT && !schedule.affords((bytes / LARGE_OBJECT) * LARGE_OBJECT_TIME)) return 0n;
		let collects = false;
		const affords = (time: number): boolean => {
			collects = true;
			return schedule.affords(time);
		};
		const given = this.holdings.allocate(bytes, affords, () => this.#takeUnused());
		if (collects && !schedule.charge()) return 0n;
		if (typeof given === "number") return this.#makes(given) ? BigInt(given) : 0n;
		if (given !== undefined) schedule.current?.guest.fail(given);
		return 0n;
	}

	#takeUnused(): number {
		let unused = 0;
		for (const left of this.#heapLeft) {
			const bytes = Number(left.value);
			if (bytes <= 0) continue;
			unused += bytes;
			left.value = 0n;
		}
		return unused;
	}

	/** The guest that runs is about to make objects of so many bytes. False: it is to end. */
	#makes(bytes: number): boolean {
		this.#hasMade = true;
		const schedule = threadSchedule();
		const left = schedule.left();
		// Its next check may come behind a collection of V8's.
		if (left < 0) return schedule.affords(0);
		return !threadNursery().make(left, bytes) || schedule.charge();
	}

	/** The memories of an instance by their index: all of them are imported. */
	#importedBy(module: WasmModule, imports: WasmImports): SlotMemory[] {
		return webAssembly()
			.Module.imports(module)
			.filter(({ kind }) => kind === "memory")
			.map((item) => this.of(imports[item.module]?.[item.name] as WasmMemory));
	}
}

function createOwnMemory(...[limits, mapper, capacity]: Parameters<typeof createSlotMemory>): SlotMemory {
	try {
		return createSlotMemory(limits, mapper, capacity);
	} catch (error) {
		const { message } = error as Error;
		throw new SkerryError(
			"link/instantiation",
			`Cannot instantiate a core module: no room for a memory of ${limits.minimum} pages: ${message}`,
			{ cause: error },
		);
	}
}

function isEmpty({ host, pages }: EngineExports): boolean {
	return host === undefined && pages.length === 0;
}
