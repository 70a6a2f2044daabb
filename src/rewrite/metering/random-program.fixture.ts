import { Dice } from "../../../test/reset/dice.ts";

/**
 * A random module as text: functions `(i32, i32) → i32` with all shapes of control flow, that end, trap or throw. Exports `f0` …, and
 * its memory.
 */
export function createRandomProgram(seed: number): { readonly text: string; readonly functions: readonly string[] } {
	const dice = new Dice(seed);
	const throws = dice.oneIn(3);
	/** How many values are taken along together: with many, that costs something by itself. */
	const many = dice.pick([2, 3, 20, 60]);
	const values = "i32 ".repeat(many);
	const names = dice.times(1 + dice.below(4), (i) => `f${i}`);
	const inner = dice.times(dice.below(4), (i): Inner => ({ name: `h${i}`, gives: dice.oneIn(2) }));
	const helpers = inner.map(({ name, gives }, i) => {
		const body = new BodyText(dice, throws, { callees: [], inner: inner.slice(0, i), gives, place: 10 + i, many });
		const locals = dice.pick([
			"(local $d i64)",
			"(local $n f32) (local $d i64) (local $m i32)",
			"(local $d i64) (local i64 i64)",
		]);
		return `(func $${name} (param $p i32) (param $q i32) ${gives ? "(result i32)" : ""} ${locals} (local $i i32)
			${body.statements(2)} ${gives ? "(local.get $p)" : ""})`;
	});
	const functions = names.map((name, i) => {
		const body = new BodyText(dice, throws, { callees: names.slice(0, i), inner, gives: true, place: i + 1, many });
		return `(func $${name} (export "${name}") (param $p i32) (param $q i32) (result i32) (local $i i32) (local $d i64)
			${body.statements(3)} (local.get $p))`;
	});
	const text = `(module ${throws ? `(tag $e (param i32)) (tag $m (param ${values}))` : ""} (memory (export "memory") 1) (type $t (func (param i32 i32) (result i32)))
		(type $same (func (param ${values}) (result ${values}))) (type $shift (func (param ${values}) (result ${"i32 ".repeat(many - 1)})))
		(type $make (func (result ${values}))) (elem declare func $r)
		(table funcref (elem ${names.map((name) => `$${name}`).join(" ")}))
		(func $turn (type $same) (br_if 0 ${dice.times(many - 1, (i) => `(local.get ${i + 1})`).join(" ")} (local.get 0)
			(i32.and (local.get 1) (i32.const 1))) (drop) (i32.const 9))
		(func $r (param $p i32) (result i32) (if (result i32) (i32.eqz (local.get $p)) (then (i32.const 1))
			(else (i32.mul (local.get $p) (call $r (i32.sub (local.get $p) (i32.const 1)))))))
		${helpers.join("\n")} ${functions.join("\n")})`;
	return { text, functions: names };
}

/** A local to count turns in, for each depth of loops. */
const TURNS = 4;

/** A function that is called by name alone, and whether it has a result. */
interface Inner {
	readonly name: string;
	readonly gives: boolean;
}

interface Surroundings {
	/** Functions that may be called, all with a result, and those of them that are called by name alone. */
	readonly callees: readonly string[];
	readonly inner: readonly Inner[];
	/** Whether it has a result itself. */
	readonly gives: boolean;
	/** How many values are taken along together. */
	readonly many: number;
	/** Its number, of which no other function has the same. */
	readonly place: number;
}

class BodyText {
	readonly #dice: Dice;
	readonly #throws: boolean;
	readonly #callees: readonly string[];
	readonly #around: Surroundings;
	/** Labels that a branch may lead to: those of blocks. */
	readonly #labels: string[] = [];
	#next = 0;

	constructor(dice: Dice, throws: boolean, around: Surroundings) {
		this.#dice = dice;
		this.#throws = throws;
		this.#callees = around.callees;
		this.#around = around;
	}

	statements(depth: number): string {
		return this.#dice.times(1 + this.#dice.below(4), () => this.#statement(depth)).join("\n");
	}

	#value(): string {
		const dice = this.#dice;
		return dice.pick([
			"(local.get $p)",
			"(local.get $q)",
			`(i32.const ${dice.below(100)})`,
			`(i32.add (local.get $p) (i32.const ${dice.below(9)}))`,
			`(i32.load8_u (i32.and (local.get $q) (i32.const 255)))`,
			`(select (local.get $p) (local.get $q) (i32.and (local.get $p) (i32.const 1)))`,
		]);
	}

	#condition(): string {
		return `(i32.eqz (i32.and ${this.#value()} (i32.const ${1 + this.#dice.below(3)})))`;
	}

	/** What is within a block whose label may be branched to. */
	#within(depth: number, text: (label: string, inner: () => string) => string): string {
		const label = `$l${this.#next++}`;
		return text(label, () => {
			this.#labels.push(label);
			const inner = this.statements(depth - 1);
			this.#labels.pop();
			return inner;
		});
	}

	#statement(depth: number): string {
		const dice = this.#dice;
		const [label] = this.#labels.length === 0 ? [] : [dice.pick(this.#labels)];
		const choice = dice.below(depth > 0 ? 18 : 10);
		switch (choice) {
			case 0:
				return `(local.set $p (i32.xor ${this.#value()} ${this.#value()}))`;
			case 1:
				return `(i32.store8 (i32.and ${this.#value()} (i32.const 255)) ${this.#value()})`;
			case 2:
				return label === undefined ? "nop" : `(br_if ${label} ${this.#condition()})`;
			case 3:
				return label === undefined || dice.oneIn(2) ? `(drop ${this.#value()})` : `(br ${label})`;
			case 4: {
				const labels = this.#labels;
				if (labels.length === 0) return "(drop (i32.const 1))";
				return `(br_table ${dice.times(1 + dice.below(3), () => dice.pick(labels)).join(" ")} ${this.#value()})`;
			}
			case 5: {
				const { inner } = this.#around;
				if (inner.length > 0 && dice.oneIn(2)) {
					const { name, gives } = dice.pick(inner);
					const call = `(call $${name} ${this.#value()} ${this.#value()})`;
					return gives ? `(local.set $q ${call})` : call;
				}
				const callee = this.#callees.length === 0 ? undefined : dice.pick(this.#callees);
				if (callee === undefined) return `(local.set $q (call $r (i32.and ${this.#value()} (i32.const 7))))`;
				if (dice.oneIn(2)) return `(local.set $q (call $${callee} ${this.#value()} ${this.#value()}))`;
				const index = this.#callees.indexOf(callee);
				return `(local.set $q (call_indirect (type $t) ${this.#value()} ${this.#value()} (i32.const ${index})))`;
			}
			case 6:
				return dice.oneIn(4)
					? `(return ${this.#around.gives ? this.#value() : ""})`
					: `(local.set $q ${this.#value()})`;
			case 7:
				return dice.oneIn(6)
					? "(unreachable)"
					: `(local.set $q (i32.div_u ${this.#value()} (i32.or ${this.#value()} (i32.const 1))))`;
			case 8:
				return this.#throws && dice.oneIn(2) ? `(if ${this.#condition()} (then (throw $e ${this.#value()})))` : "nop";
			case 9:
				return dice.oneIn(3)
					? `(local.set $q (i32.div_u ${this.#value()} ${this.#value()}))`
					: `(local.set $d (i64.const 5))`;
			case 10:
			case 11:
				return this.#within(depth, (name, inner) => `(block ${name} ${inner()})`);
			case 12:
				return this.#within(depth, (name, inner) => `(if ${name} ${this.#condition()} (then ${inner()}))`);
			case 13:
				return this.#within(
					depth,
					(name, inner) => `(if ${name} ${this.#condition()} (then ${inner()}) (else ${inner()}))`,
				);
			case 14:
				if (this.#throws) return this.#within(depth, (name, inner) => this.#handler(name, inner));
				return this.#within(depth, (name, inner) => `(block ${name} ${inner()})`);
			case 15:
				return dice.oneIn(2) ? this.#many() : this.#counted();
			default:
				return this.#loop(depth);
		}
	}

	/** Makes many values, passes them on, and makes one of them, in which each has a place of its own. */
	#many(): string {
		const dice = this.#dice;
		const { many } = this.#around;
		const given = dice.times(many, () => this.#value()).join(" ");
		const made =
			dice.oneIn(2) || !this.#throws
				? given
				: `(block (type $make) (try_table (catch $m 0) ${given} (throw $m)) (unreachable))`;
		const passed = dice.times(1 + dice.below(4), () => this.#passed()).join(" ");
		return `${made} ${passed} ${"i32.const 3 i32.rotl i32.sub ".repeat(many - 1)} (local.set ${dice.pick(["$p", "$q"])})`;
	}

	/** Takes many values, and leaves as many. */
	#passed(): string {
		const dice = this.#dice;
		const ref = dice.pick(["(ref.null func)", "(ref.func $r)"]);
		const store = `(i32.store8 (i32.and ${this.#value()} (i32.const 255)) ${this.#value()})`;
		return dice.pick([
			"(call $turn)",
			`(block (type $same) (br_if 0 ${this.#condition()}) ${store})`,
			`(block (type $shift) (br_table 0 0 ${this.#value()})) ${this.#value()}`,
			`(block (type $same) (br_on_null 0 ${ref}) (drop) ${store})`,
			`(if (type $same) ${this.#condition()} (then ${store} (br 0)) (else (drop) ${this.#value()}))`,
			`(local.set $i (i32.const ${dice.below(9)})) (loop (type $same) ${store}
				(br_if 0 (i32.gt_s (local.tee $i (i32.sub (local.get $i) (i32.const 1))) (i32.const 0))))`,
		]);
	}

	/** A loop that counts, from and to numbers or not, with many values in it. */
	#counted(): string {
		const dice = this.#dice;
		const name = `$l${this.#next++}`;
		const many = this.#many().replaceAll("$i", "$p");
		const begin = dice.oneIn(2) ? `(i32.const ${dice.below(20)})` : `(i32.and ${this.#value()} (i32.const 15))`;
		const end = dice.pick([20, 21, 500]);
		return `(local.set $i ${begin}) (loop ${name} ${many}
			(br_if ${name} (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const ${end}))))`;
	}

	#handler(name: string, inner: () => string): string {
		if (this.#dice.oneIn(2)) return `(block ${name} (try_table (catch_all ${name}) ${inner()}))`;
		return `(local.set $p (block ${name}h (result i32) (block ${name} (try_table (catch $e ${name}h) ${inner()})) (local.get $q)))`;
	}

	/** Turns are counted in memory, at a place of the loop's own, so that whatever branches back counts. */
	#loop(depth: number): string {
		const dice = this.#dice;
		// Of this function alone: those that it calls have others
		const at = 1000 * this.#around.place + 4 * this.#next;
		const name = `$l${this.#next++}`;
		const guard = `(i32.store (i32.const ${at}) (i32.add (i32.load (i32.const ${at})) (i32.const 1)))`;
		const again = `(i32.lt_u (i32.load (i32.const ${at})) (i32.const ${1 + dice.below(TURNS)}))`;
		const inner = this.statements(depth - 1);
		const reset = `(i32.store (i32.const ${at}) (i32.const 0))`;
		if (dice.oneIn(3)) {
			return `${reset} ${this.#value()} (loop ${name} (param i32) (local.set $q) ${guard} ${inner} (br_if ${name} (local.get $q) ${again}) (drop))`;
		}
		if (dice.oneIn(3)) return `${reset} (loop ${name} ${guard} (if ${again} (then ${inner} (br ${name}))))`;
		return `${reset} (loop ${name} ${guard} ${inner} (br_if ${name} ${again}))`;
	}
}
