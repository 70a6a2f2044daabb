import {
	type AttachedCore,
	type CoreDelta,
	type CoreImage,
	type CoreMemories,
	type CoreSnapshot,
	type CoreState,
	type PageMapper,
	readCoreState,
	takeCoreImage,
	type WasmInstance,
} from "../../engine/mod.ts";
import type { Linked } from "../linked.ts";

/** The state of all core instances of a component, shared by the slots of all that have its code. */
export interface InstanceImage {
	/** By core instance. */
	readonly cores: readonly CoreImage[];
	/**
	 * Whether an instance can begin in it without its start functions: these may put functions of that very instance into its tables,
	 * and make memories larger, which is more than content.
	 */
	readonly isWhole: boolean;
	/** The largest that a memory of a slot came to, in bytes. */
	peak: number;
}

/** A state of an instance beside an image of its code: by core instance. */
export type InstanceState = readonly CoreDelta[];

/** The same, without what is not needed any more once there is this image of it. */
export function forgetInitial(linked: Linked, { isWhole }: InstanceImage): Linked {
	if (!isWhole) return linked;
	return { ...linked, owned: linked.owned.map((parts) => ({ ...parts, initial: { data: [], globals: [] } })) };
}

/** Bytes of a WebAssembly page. */
const WASM_PAGE = 65_536n;

/** What the core instances of one instance hold: taken as an image, compared with one, and put back. */
export class CoreStates {
	readonly #linked: Linked;
	readonly #cores: readonly WasmInstance[];
	readonly #memories: CoreMemories;
	#attached: readonly AttachedCore[] = [];
	#image: InstanceImage | undefined;
	/** Beside the image: what `restore` puts them into. */
	#state: InstanceState = [];

	/** @param cores which may come later */
	constructor(linked: Linked, cores: readonly WasmInstance[], memories: CoreMemories) {
		this.#linked = linked;
		this.#cores = cores;
		this.#memories = memories;
	}

	/** The state as it is now, which must be right after instantiation. Why there can be none, as text: it could not be put back exactly. */
	take(mapper: PageMapper | undefined): InstanceImage | string {
		const why = this.#linked.states.find((state) => typeof state === "string");
		if (why !== undefined) return why;
		const cores: CoreImage[] = [];
		for (const [slot, core] of this.#cores.entries()) {
			const image = takeCoreImage(core, this.#coreState(slot) as CoreState, this.#memories, mapper);
			if (typeof image === "string") {
				for (const taken of cores) taken[Symbol.dispose]();
				return image;
			}
			cores.push(image);
		}
		const isWhole = this.#cores.every((_, slot) => this.#isWhole(slot, cores[slot] as CoreImage));
		return { cores, isWhole, peak: 0 };
	}

	#isWhole(slot: number, { memories }: CoreImage): boolean {
		const module = this.#moduleOf(slot);
		const state = this.#linked.states[module] as CoreState;
		const made = this.#linked.owned[module]?.imports?.memories ?? [];
		return (
			state.tables.length === 0 &&
			memories.every(({ length }, i) => BigInt(length) === (made[i]?.type.limits.minimum ?? 0n) * WASM_PAGE)
		);
	}

	/**
	 * The state as it is now, which must be right after instantiation, beside the image of another instance of the same code. Why it
	 * cannot be told, as text.
	 */
	compare(image: InstanceImage): InstanceState | string {
		const state: CoreDelta[] = [];
		for (const [slot, core] of this.#cores.entries()) {
			const found = imageOf(image, slot).compare(core, this.#memories);
			if (typeof found === "string") return found;
			state.push(found);
		}
		return state;
	}

	/** What each core instance holds now; nothing of those whose module has no known state. */
	snapshot(): CoreSnapshot[] {
		return this.#cores.map((core, slot) => {
			const state = this.#coreState(slot);
			return typeof state === "string" ? { memories: [], globals: [] } : readCoreState(core, state, this.#memories);
		});
	}

	/** Binds this instance to an image of its code, for `reset`, and puts it into that or another state. */
	attach(image: InstanceImage, state: InstanceState = image.cores.map(({ own }) => own)): void {
		this.#image = image;
		this.#state = image.cores.map(({ own }) => own);
		this.#attached = this.#cores.map((core, slot) => imageOf(image, slot).attach(core, this.#memories));
		this.change(state);
	}

	/** Puts them into another state; the bytes that were written for that. Only where nothing ran since `restore` or `attach`. */
	change(state: InstanceState): number {
		let bytes = 0;
		for (let slot = 0; slot < this.#attached.length; slot++) {
			bytes += (this.#attached[slot] as AttachedCore).change(this.#state[slot] as CoreDelta, state[slot] as CoreDelta);
		}
		this.#state = state;
		return bytes;
	}

	/**
	 * @param state what they are in from now on
	 * @returns the bytes that were put back; `undefined` when the state cannot be restored exactly
	 */
	restore(state: InstanceState = this.#state): number | undefined {
		this.#state = state;
		const image = this.#image;
		if (image === undefined) return undefined;
		let bytes = 0;
		for (let slot = 0; slot < this.#attached.length; slot++) {
			const restored = (this.#attached[slot] as AttachedCore).restore(this.#state[slot]);
			if (restored === undefined) {
				// What this one came to, the next ones can be made for.
				image.peak = Math.max(image.peak, this.#memories.largest);
				return undefined;
			}
			bytes += restored;
		}
		return bytes;
	}

	#coreState(slot: number): CoreState | string {
		const state = this.#linked.states[this.#moduleOf(slot)];
		if (state === undefined) throw new Error(`core instance ${slot} has no known state`);
		return state;
	}

	/** The index of the module of a core instance. */
	#moduleOf(slot: number): number {
		const step = this.#linked.plan.steps.find((s) => s.kind === "instantiate" && s.slot === slot);
		return step?.kind === "instantiate" ? step.module : -1;
	}
}

function imageOf({ cores }: InstanceImage, slot: number): CoreImage {
	const found = cores[slot];
	if (found === undefined) throw new Error("an image of another component");
	return found;
}
