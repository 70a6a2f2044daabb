import { Calls, type Contracts } from "./calls.ts";
import { type Cursor, refuse } from "./cursor.ts";
import { Pieces, type Stop } from "./metered-body.ts";
import { type Ledger, PAID } from "./fuel.ts";
import { BodyComparison, type Surroundings } from "./metered-comparison.ts";
import { KIND_FUNCTION, KIND_MEMORY, type Outline } from "./outline.ts";
import { COSTS, PathCosts } from "./path-costs.ts";
import { ValueCosts } from "./carried.ts";
import { PlainRun } from "./plain.ts";
import type { Threading } from "./threading.ts";

const TRY = 0x06;

interface Engine {
	readonly stop: Stop;
	/** The table of the engine's functions. */
	readonly table: number;
	/** The type of the first of them, where it was added with the table. */
	readonly firstType: number | undefined;
	readonly ledger: Ledger;
	readonly threading: Threading;
	readonly contracts: Contracts;
	/** The content of the original's section of types. */
	readonly types: Cursor;
	/** How many functions there are that do nothing. */
	readonly fillers: number;
}

/** No locals, `unreachable`. */
const FILLER = [0x00, 0x00, 0x0b];

/**
 * Walks the guest's code beside that of a module with checks: they are equal but for these, payments, and the slow path behind all
 * functions where checks call the engine; on no way more runs between two checks than is stated, in every loop and every cycle of calls one is passed; the guest's own instructions name nothing
 * that was added. With fuel, what has been paid and what has run are the same on every way through a function at its end, and
 * wherever an exception may leave it; and nowhere less is paid than has run. Only ways that end in traps may have paid different amounts.
 */
export function compareMeteredCode(original: Cursor, rewritten: Cursor, outline: Outline, engine: Engine): void {
	const memories = outline.count(KIND_MEMORY) + outline.memories.length;
	const pieces = new Pieces(memories, outline.functions.length, engine.stop);
	const calls = new Calls(outline, engine.contracts);
	const values = new ValueCosts(engine.types, outline);
	const module: Surroundings = {
		pieces,
		outline,
		calls,
		paths: new PathCosts(calls, values.caught),
		values,
		plain: new PlainRun({ costs: COSTS, paid: PAID }),
		frames: [],
		memories,
		fuel: engine.stop === "fuel",
		paidAheadOverCall: undefined,
		imported: outline.count(KIND_FUNCTION),
		ledger: engine.ledger,
		threading: engine.threading,
		keptOverCall: undefined,
	};
	const bodies = original.number();
	const hasSlowPath = engine.stop === "yield" || engine.stop === "fuel";
	if (rewritten.number() !== bodies + (hasSlowPath ? 1 : 0) + engine.fillers)
		throw refuse("it has other functions than the original");
	for (let i = 0; i < bodies; i++) {
		const from = original.take(original.number());
		const to = rewritten.take(rewritten.number());
		new BodyComparison(from, to, module.imported + i, module).run();
	}
	if (hasSlowPath) compareSlowPath(rewritten.take(rewritten.number()), pieces, engine);
	for (let i = 0; i < engine.fillers; i++) compareFiller(rewritten.take(rewritten.number()));
	if (!rewritten.done) throw refuse("there is more code than functions");
	const { paidAheadOverCall, keptOverCall } = module;
	const throws = calls.catches || outline.hasTags;
	if (throws && keptOverCall !== undefined)
		throw refuse(`function ${keptOverCall} keeps the fuel from what an exception may reach`);
	compareOpen(module);
	if (throws) module.threading.compareThrows();
	if (throws && paidAheadOverCall !== undefined)
		throw refuse(`function ${paidAheadOverCall} pays in advance for what an exception may keep from running`);
	calls.check();
}

/** A function that is there to be small. The guest cannot name it, as it is none of its own. */
function compareFiller(to: Cursor): void {
	for (const byte of FILLER) if (to.byte() !== byte) throw refuse("it has a function that is not the guest's");
	if (!to.done) throw refuse("it has a function that is not the guest's");
}

/** Who can be called by others than the guest's own calls has paid nothing in advance, and may find the fuel anywhere. */
function compareOpen({ outline, ledger, threading, imported }: Surroundings): void {
	const exported = outline.exports.filter(({ kind }) => kind === KIND_FUNCTION).map(({ index }) => index);
	for (const index of [...exported, ...outline.taken, outline.start]) {
		threading.compareOpen(index);
		if ((ledger.prepaid[index - imported] ?? 0) !== 0)
			throw refuse(`function ${index} leaves fuel to be paid by callers that do not`);
	}
}

/** The slow path, written out once more; types that were there before are V8's to check. */
function compareSlowPath(to: Cursor, pieces: Pieces, { table, firstType, stop }: Engine): void {
	const fuel = stop === "fuel";
	const wrong = "its slow path is another";
	const expect = (...bytes: readonly number[]): void => {
		for (const byte of bytes) if (to.byte() !== byte) throw refuse(wrong);
	};
	const call = (place: number): void => {
		expect(0x41, place, 0x11);
		const type = to.number();
		if (firstType !== undefined && type !== firstType + place) throw refuse(wrong);
		if (to.number() !== table) throw refuse(wrong);
	};
	if (fuel) {
		expect(2, 1, 0x7f, 1, 0x7e);
		// Bits 0 to 49 of what the cell is ahead; the local goes to the cell
		expect(...pieces.cell, 0x20, 0, 0x7d, 0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x83, 0x21, 2);
		expect(...pieces.flush(0));
	} else expect(1, 1, 0x7f);
	const polls = fuel ? 1 : 0;
	expect(0x02, 0x40);
	// Two ways to catch whatever the engine throws
	const legacy = to.byte() === TRY;
	expect(...(legacy ? [0x40] : [0x40, 1, 2, 0]), 0x03, 0x40, 0x02, 0x40, 0x02, 0x40);
	call(0);
	expect(0x0e, 3, 1, 4, 0, 4, 0x0b);
	call(1);
	expect(0x0d, 3, 0x0b, ...pieces.condition(undefined));
	// An i32.const of 100
	expect(0x04, 0x40, 0x20, polls, 0x41, 1, 0x6a, 0x22, polls, 0x41, 0xe4, 0, 0x4b, 0x0d, 3, 0x0c, 1);
	expect(0x0b, 0x0b, ...(legacy ? [] : [0x0b]));
	if (fuel) expect(0x41, 0, ...pieces.cell, 0x22, 0, 0x20, 2, 0x7c, ...pieces.store, 0x20, 0);
	expect(0x0f, ...(legacy ? [0x19, 0x0b] : []), 0x0b, 0x00, 0x0b);
	if (!to.done) throw refuse(wrong);
}
