import { SkerryError } from "../fault/mod.ts";
import { CodeReader, countImports, defineSkim, type Module, OP, type OpName, operatorOf } from "../wasm/mod.ts";
import {
	FLOW,
	BLOCK,
	BR,
	BR_IF,
	BR_TABLE,
	CALL,
	CATCH,
	DELEGATE,
	ELSE,
	END,
	IF,
	isTailCall,
	labelsOf,
	LOOP,
	RETURN,
	THROW,
	TRY,
	UNREACHABLE,
} from "./metering/control.ts";

/**
 * What V8 may have to write down of one function while it compiles it, which nothing interrupts. At each instruction where ways part or meet its first
 * compiler takes down where every local and every value on the stack is, some 25 bytes and 10 to 20 ns each, and moves the values that go along, which is
 * code of some 15 bytes: of 3 KB with 50,000 locals it makes 600 MB, of 300 KB with blocks of 1,000 parameters more code than it has room for, which
 * ends the process. The bound is 0.3 s and 200 MB; the heaviest function that was seen has a sixteenth of it.
 */
export const MAX_COMPILE_WEIGHT = 16_000_000;

/**
 * What V8's first compiler takes long for wherever it stands, in 20 ns: a call through a table or a reference is much code, 1.1 to 2.4 µs with what is put
 * behind it. What is not listed takes some 50 ns a byte at most, which is 0.4 s for as long a function as there may be.
 */
const SLOW: readonly (readonly [names: RegExp, weight: number])[] = [
	[/^(return_)?call_(indirect|ref)$/, 100],
	[
		/^(memory|table)\.(init|fill|copy|grow)|^memory\.atomic\.|^array\.(new|copy|fill|init)|^throw|trunc_sat_f(32|64)|shuffle$/,
		25,
	],
	[/^(return_)?call$/, 10],
];

/**
 * What each byte of code may weigh, whichever function it is in, before it counts against what a module may weigh besides: that is no more than one
 * function may, as many may be called in a row. Of real programs no byte weighs four on average, and what weighs more comes to half a million in 13 MB.
 */
const WEIGHT_OF_BYTE = 4;

/** What operators without a signature do to the height of the stack, as far as the operator alone decides. */
const EFFECTS: Readonly<Partial<Record<OpName, number>>> = {
	drop: -1,
	select: -2,
	"select t": -2,
	"local.get": 1,
	"local.set": -1,
	"global.get": 1,
	"global.set": -1,
	"table.set": -2,
	"ref.null": 1,
	"ref.func": 1,
	br_on_non_null: -1,
	"struct.new": 1,
	"struct.new_default": 1,
	"struct.set": -2,
	"array.new": -1,
	"array.new_fixed": 1,
	"array.new_data": -1,
	"array.new_elem": -1,
	"array.get": -1,
	"array.get_s": -1,
	"array.get_u": -1,
	"array.set": -3,
	"array.fill": -4,
	"array.copy": -5,
	"array.init_data": -4,
	"array.init_elem": -4,
	"memory.copy": -3,
	"table.copy": -3,
	"table.grow": -1,
	"table.fill": -3,
	if: -1,
	br_if: -1,
	br_table: -1,
	call_indirect: -1,
	call_ref: -1,
};

const EFFECT: Int8Array = new Int8Array(FLOW.length);
/** Those of which more than the operator is to be known. */
const SPECIAL: Uint8Array = FLOW.slice();
for (const [name, op] of Object.entries(OP) as [OpName, number][]) {
	const signature = operatorOf(op)?.signature;
	EFFECT[op] = signature ? signature.results.length - signature.params.length : (EFFECTS[name] ?? 0);
}
/** Takes as many values as its type has fields, or as it says. */
const TAKES = 0xff;
for (const name of ["struct.new", "struct.new_default", "array.new_fixed"] as const) SPECIAL[OP[name]] = TAKES;

/** Those that call something of V8's, which looks at all that is on the stack. */
const CALLS: Uint8Array = new Uint8Array(FLOW.length);
for (const [name, op] of Object.entries(OP)) {
	if (/^(memory|table)\.|^struct\.new|^array\.(new|copy|fill|init)|call/.test(name)) CALLS[op] = 1;
}

/** By operator, of those in `SLOW`. */
const COSTS: Uint8Array = new Uint8Array(FLOW.length);
for (const [name, op] of Object.entries(OP)) COSTS[op] = SLOW.find(([names]) => names.test(name))?.[1] ?? 0;
const MOST_COST = Math.max(...COSTS);

const SKIM = defineSkim((op) => SPECIAL[op] !== 0 || CALLS[op] !== 0 || COSTS[op] !== 0, EFFECT);

/** How many values a type of the module takes and gives: parameters and results, or no more than fields. */
interface Arity {
	readonly takes: number;
	readonly gives: number;
}

/** An open block: how high the stack is around it, and what is passed to it, to its label, and on behind it. */
interface Frame {
	readonly base: number;
	readonly takes: number;
	readonly label: number;
	readonly gives: number;
}

const NOTHING: Arity = { takes: 0, gives: 0 };
const ONE: Arity = { takes: 0, gives: 1 };

/**
 * Refuses functions of which V8 would make many times as much as they are, and modules with too many of them.
 * @throws SkerryError `binary/limit`
 */
export function checkCompileWeight(module: Module): void {
	const { code } = module;
	if (code.starts.length === 0) return;
	const weigher = new Weigher(module);
	let total = 0;
	for (let body = 0; body < code.starts.length; body++) {
		const size = (code.ends[body] as number) - (code.starts[body] as number);
		if (weigher.mostOf(body) <= size * WEIGHT_OF_BYTE) continue;
		const weight = weigher.weigh(body);
		total += Math.max(0, weight - size * WEIGHT_OF_BYTE);
		if (weight <= MAX_COMPILE_WEIGHT && total <= MAX_COMPILE_WEIGHT) continue;
		const index = weigher.indexOf(body);
		const [what, sum] =
			weight > MAX_COMPILE_WEIGHT
				? [
						`function ${index} has too many locals and values on its stack where ways part or meet, or calls through tables`,
						weight,
					]
				: [
						`its functions, up to ${index}, have too many locals, values on their stacks and calls through tables for their size`,
						total,
					];
		throw new SkerryError(
			"binary/limit",
			`Cannot compile a core module: ${what}: ${sum} in all, more than ${MAX_COMPILE_WEIGHT}`,
			{ place: { offset: code.offset + (code.starts[body] as number) } },
		);
	}
}

/** V8 looks for a place for each value among those of all others: 0.3 ns for two parameters, 3 ns for two results. */
function weightOfCall({ takes, gives }: Arity): number {
	return takes + gives + Math.floor((takes * takes) / 128 + (gives * gives) / 16);
}

class Weigher {
	readonly #module: Module;
	readonly #reader: CodeReader;
	readonly #arities: readonly Arity[];
	/** By function, with the imports. */
	readonly #types: readonly number[];
	readonly #tags: readonly number[];
	readonly #imported: number;
	/** What an instruction may push at most. */
	readonly #mostGiven: number;
	/** What a byte of an instruction may weigh at most, beside the locals and what lies on the stack. */
	readonly #most: number;

	constructor(module: Module) {
		this.#module = module;
		this.#reader = new CodeReader(module.code);
		this.#arities = module.types.flat().map(({ composite }) => {
			if (composite.kind === "func") return { takes: composite.params.length, gives: composite.results.length };
			return { takes: composite.kind === "struct" ? composite.fields.length : 0, gives: 1 };
		});
		this.#imported = countImports(module).func;
		const types = module.imports.flatMap(({ type }) => (type.kind === "func" ? [type.type] : []));
		for (const type of module.functions) types.push(type);
		this.#types = types;
		const tags = module.imports.flatMap(({ type }) => (type.kind === "tag" ? [type.type] : []));
		for (const { type } of module.tags) tags.push(type);
		this.#tags = tags;
		let [mostTaken, mostGiven] = [0, 1];
		for (const { takes, gives } of this.#arities) {
			mostTaken = Math.max(mostTaken, takes);
			mostGiven = Math.max(mostGiven, gives);
		}
		this.#mostGiven = mostGiven;
		this.#most = 2 * weightOfCall({ takes: mostTaken, gives: mostGiven }) + MOST_COST;
	}

	indexOf(body: number): number {
		return this.#imported + body;
	}

	/** What the body may weigh, whatever its instructions are: each is of one byte at least, and what pushes something of two. */
	mostOf(body: number): number {
		const { starts, ends } = this.#module.code;
		const size = (ends[body] as number) - (starts[body] as number);
		return size * ((size / 2) * this.#mostGiven + this.#most + this.#localsOf(body));
	}

	#localsOf(body: number): number {
		const reader = this.#reader;
		reader.enter(body);
		return this.#typeOf(this.#imported + body).takes + reader.locals().reduce((sum, { count }) => sum + count, 0);
	}

	#typeOf(index: number): Arity {
		return this.#arities[this.#types[index] as number] ?? NOTHING;
	}

	#tagOf(index: number): Arity {
		return this.#arities[this.#tags[index] as number] ?? NOTHING;
	}

	weigh(body: number): number {
		const locals = this.#localsOf(body);
		const reader = this.#reader;
		reader.enter(body);
		const { gives } = this.#typeOf(this.#imported + body);
		const frames: Frame[] = [{ base: 0, takes: 0, label: gives, gives }];
		let frame = frames[0];
		let height = 0;
		let weight = locals;
		while (frame !== undefined && weight <= MAX_COMPILE_WEIGHT && reader.nextOf(SKIM)) {
			const { op, passed } = reader;
			const special = SPECIAL[op] as number;
			// Where nothing comes by, there is whatever is wanted
			height = Math.max(frame.base, height + passed + (EFFECT[op] as number));
			weight += COSTS[op] as number;
			if (CALLS[op] === 1) weight += (locals + height) >> 2;
			if (special === 0) continue;
			if (special === TAKES) {
				const { takes } = this.#arities[reader.first] ?? NOTHING;
				const count = op === OP["array.new_fixed"] ? reader.second : takes;
				weight += count;
				if (op !== OP["struct.new_default"]) height -= count;
			} else if (special === CALL || isTailCall(op)) {
				const isDirect = op === OP.call || op === OP.return_call;
				const type = isDirect ? this.#typeOf(reader.first) : (this.#arities[reader.first] ?? NOTHING);
				weight += weightOfCall(type);
				height = special === CALL ? Math.max(frame.base, height - type.takes) + type.gives : frame.base;
			} else {
				const here = locals + Math.max(0, height);
				switch (special) {
					case BLOCK:
					case IF:
					case LOOP:
					case TRY: {
						const type = this.#blockType();
						const base = Math.max(frame.base, height - type.takes);
						const label = special === LOOP ? type.takes : type.gives;
						weight += here + type.takes + type.gives;
						if (op === OP.try_table) weight += this.#arms(frames, locals + height);
						frame = { base, takes: type.takes, label, gives: type.gives };
						frames.push(frame);
						height = base + type.takes;
						break;
					}
					case ELSE:
					case CATCH:
						weight += here + frame.gives;
						height = frame.base;
						if (special === ELSE) height += frame.takes;
						else if (op === OP.catch) height += this.#tagOf(reader.first).takes;
						weight += height - frame.base;
						break;
					case END:
					case DELEGATE:
						weight += here + frame.gives;
						height = frame.base + frame.gives;
						frames.pop();
						frame = frames.at(-1);
						break;
					case BR:
					case BR_IF:
					case BR_TABLE:
						weight += this.#arms(frames, here);
						if (special !== BR_IF) height = frame.base;
						break;
					case RETURN:
						weight += gives;
						height = frame.base;
						break;
					case THROW:
						if (op === OP.throw) weight += this.#tagOf(reader.first).takes;
						height = frame.base;
						break;
					case UNREACHABLE:
						height = frame.base;
				}
			}
			if (frame !== undefined && height < frame.base) height = frame.base;
		}
		return weight;
	}

	/** What the current instruction's labels weigh together; V8 looks at each block once. */
	#arms(frames: readonly Frame[], here: number): number {
		const labels = labelsOf(this.#reader);
		if (labels.length === 1) return here + (frames.at(-1 - (labels[0] as number))?.label ?? 0);
		let weight = 0;
		for (const label of new Set(labels)) weight += here + (frames.at(-1 - label)?.label ?? 0);
		return weight + labels.length;
	}

	#blockType(): Arity {
		const reader = this.#reader;
		if (reader.op === OP.try_table) {
			const [type] = reader.immediates();
			return typeof type === "number" ? (this.#arities[type] ?? NOTHING) : type === null ? NOTHING : ONE;
		}
		if (reader.first >= 0) return this.#arities[reader.first] ?? NOTHING;
		return this.#module.code.bytes[reader.start + 1] === 0x40 ? NOTHING : ONE;
	}
}
