import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { webAssembly } from "../src/engine/mod.ts";

const LANES = 8;
const ITERATIONS = 20_000;

/**
 * Sums that do not wait for each other: as many at once as the core has units for. When another thread runs on the same core (another
 * machine's, on a host that shares cores out by hardware threads), it gets half of these, and so does everything else that runs here.
 */
const PROBE = `(module (func (export "probe") (param $n i32) (param $x i32) (result i32)
	${Array.from({ length: LANES }, (_, i) => `(local $${i} i32)`).join(" ")}
	(loop $again
		${Array.from({ length: LANES }, (_, i) => `(local.set $${i} (i32.add (i32.xor (local.get $${i}) (local.get $n)) (local.get $x)))`).join(" ")}
		(br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
	${Array.from({ length: LANES }, (_, i) => `(local.set $x (i32.add (local.get $x) (local.get $${i})))`).join(" ")}
	(local.get $x)))`;

/** A reading this much above the best is one of a shared core: a half used one reads 1.15 and more, a full one 1.7; clocks differ by some 6 %. */
const SHARED = 1.12;
/** V8's optimising compiler is done by then. */
const WARM_UP = 300;

/** The probe's module. */
export async function assembleProbe(): Promise<Uint8Array> {
	return new Uint8Array(await parse(PROBE));
}

/** Whether a core is this thread's alone, by how fast it computes. */
export class OwnCore {
	readonly #read: () => number;
	#best: number;

	/**
	 * @param read the milliseconds of one reading
	 * @param best the quickest reading on this machine so far; `Infinity` without
	 */
	constructor(read: () => number, best: number) {
		this.#read = read;
		this.#best = best;
	}

	/** A probe that is compiled and warm. */
	static create(probe: Uint8Array, now: () => number, best: number): OwnCore {
		const { exports } = new (webAssembly().Instance)(new (webAssembly().Module)(probe), {});
		const run = exports["probe"] as (n: number, x: number) => number;
		const read = (): number => {
			const started = now();
			run(ITERATIONS, 1);
			return now() - started;
		};
		for (let i = 0; i < WARM_UP; i++) read();
		return new OwnCore(read, best);
	}

	/** The quickest reading so far. */
	get best(): number {
		return this.#best;
	}

	/**
	 * Of two readings the shorter counts, as an interrupt hits one; but the best is what both were, at least: clocks are wrong at times
	 * (one reading in some 100,000 was 25 % too short, and nothing after it would have counted).
	 */
	isAlone(): boolean {
		const readings = [this.#read(), this.#read()];
		this.#best = Math.min(this.#best, Math.max(...readings));
		return Math.min(...readings) <= SHARED * this.#best;
	}
}

/** Whether what counted as an own core by one best reading still does by another, which a later process has found. */
export function stillAlone(best: number, later: number): boolean {
	return best <= SHARED * later;
}
