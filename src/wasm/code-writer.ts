import { Writer } from "../bytes/mod.ts";
import { SiteRecorder } from "./code-sites.ts";
import { encodeValueType } from "./encode-types.ts";
import { encodeOperator } from "./operators.ts";
import type { LocalRun } from "./code-reader.ts";
import type { Code } from "./section/code.ts";

/**
 * Writes function bodies as edits of those of `source`. Everything between two edits is copied as it is, in one piece:
 *
 * ```ts
 * writer.begin(reader.bodyStart);
 * while (reader.next()) if (reader.op === CALL) writer.replace(reader.start, reader.end).op(CALL).out.u32(reader.first + 1);
 * writer.finishBody(reader.end);
 * ```
 */
export class CodeWriter {
	/** Where to write what an edit puts in. */
	readonly out: Writer;
	readonly #source: Code;
	readonly #sites = new SiteRecorder();
	readonly #starts: number[] = [];
	readonly #ends: number[] = [];
	/** What of the source has been copied or replaced. */
	#taken = 0;
	#bodyStart = 0;
	/** What of the source the bytes stand for that are written now. */
	#edited = 0;

	/** @param source where the bytes to copy come from. */
	constructor(source: Code) {
		this.#source = source;
		// A twentieth more, as passes rather add than remove
		this.out = new Writer(Math.ceil(source.bytes.length * 1.05) + 1024);
	}

	/** Begins a body that continues with the source from `position` on. */
	begin(position: number): this {
		this.#bodyStart = this.out.length;
		this.#taken = this.#edited = position;
		this.#sites.body(this.#bodyStart, position);
		return this;
	}

	/** Copies up to `start` and leaves out what lies up to `end`; what is then written to `out` stands in its place. */
	replace(start: number, end: number): this {
		this.#copy(start);
		this.#edited = start;
		this.#taken = end;
		return this;
	}

	/** Copies up to `position`; what is then written to `out` stands before what follows there. */
	insert(position: number): this {
		this.#copy(position);
		this.#edited = position;
		return this;
	}

	op(operator: number): this {
		encodeOperator(this.out, operator);
		return this;
	}

	/** Local declarations, which begin a body. */
	locals(runs: readonly LocalRun[]): this {
		this.out.u32(runs.length);
		for (const { count, type } of runs) encodeValueType(this.out.u32(count), type);
		return this;
	}

	/** Where in the new body the source's `position` comes to lie, which is at or behind the last edit. */
	offsetOf(position: number): number {
		return this.out.length - this.#bodyStart + (position - this.#taken);
	}

	/** Copies up to `end` and ends the body. */
	finishBody(end: number): void {
		this.#copy(end);
		this.#starts.push(this.#bodyStart);
		this.#ends.push(this.out.length);
	}

	/** How many bodies are finished. */
	get bodies(): number {
		return this.#ends.length;
	}

	/** How many of these are shorter, in bytes. */
	countBelow(size: number): number {
		return this.#ends.filter((end, i) => end - (this.#starts[i] as number) < size).length;
	}

	/** All bodies. The writer is not to be used after. */
	finish(): Code {
		const { offset, sites } = this.#source;
		return {
			bytes: this.out.detach(),
			offset: 0,
			starts: Uint32Array.from(this.#starts),
			ends: Uint32Array.from(this.#ends),
			// Of a source that was neither decoded nor written by one of these, nobody knows where it comes from
			...(offset === 0 && sites === undefined ? {} : { sites: this.#sites.finish(sites) }),
		};
	}

	#copy(end: number): void {
		this.#sites.resume(this.out.length, this.#taken, this.#edited);
		if (end > this.#taken) this.out.range(this.#source.bytes, this.#taken, end);
		this.#taken = end;
	}
}
