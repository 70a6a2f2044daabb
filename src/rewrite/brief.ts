import { CodeReader, countImports, type Module, OP, type OpName } from "../wasm/mod.ts";
import { BRIEF, COST, costOfLocals } from "./metering/costs.ts";
import { Values } from "./metering/values.ts";

/** What comes to its end, and to nothing but the guest's own numbers: no loops, no bulk operations, no tables, no heap, no exceptions. */
const PLAIN =
	/^(nop|unreachable|block|if|else|end|br|br_if|br_table|return|drop|select|select t|(local|global)\.(get|set|tee))$|^([if](32|64)|v128|[if]\d+x\d+)\.(?!atomic)/;

const NEITHER = 0;
const IS_PLAIN = 1;
const IS_ACCESS = 2;
const IS_CALL = 3;

const KINDS = new Uint8Array(COST.length);
for (const [name, op] of Object.entries(OP) as [OpName, number][]) {
	if (name === "call" || name === "return_call") KINDS[op] = IS_CALL;
	else if (PLAIN.test(name)) KINDS[op] = /\.(load|store)/.test(name) ? IS_ACCESS : IS_PLAIN;
	else KINDS[op] = NEITHER;
}

/**
 * The exported functions, by name, that are over so soon, whatever they are given, that nobody need be able to stop them: they run `BRIEF`
 * at most, with all that they call; they call nothing but functions of the module, by name and without a cycle; and they come to no check, so
 * that it is nothing to them whether somebody else is to be stopped.
 * @param module as V8 gets it: this is told by the code itself, and not by what others have promised of it
 * @param names that are of interest
 * @param flag whether its last memory is the flag's
 */
export function findBrief(module: Module, names: ReadonlySet<string>, flag: boolean): readonly string[] {
	const imported = countImports(module);
	const flagMemory = flag ? imported.memory + module.memories.length - 1 : -1;
	const reader = new CodeReader(module.code);
	const values = new Values(module);
	/** Of each function what it costs; Infinity while it is looked at, and for one that is not brief. */
	const costs = new Map<number, number>();
	/** @param left what its callers have left for it, so that as many are looked at within each other at most */
	const costOf = (fn: number, left: number): number => {
		if (fn < imported.func) return Infinity;
		const known = costs.get(fn);
		if (known !== undefined) return known;
		costs.set(fn, Infinity);
		const calls: number[] = [];
		reader.enter(fn - imported.func);
		values.enter(fn - imported.func);
		let cost = costOfLocals(reader.declared);
		while (reader.next() && cost <= left) {
			const { op, first } = reader;
			const kind = KINDS[op];
			if (kind === NEITHER || (kind === IS_ACCESS && first === flagMemory)) return Infinity;
			cost += (COST[op] as number) + values.step(reader) + values.behind(reader);
			if (kind === IS_CALL) calls.push(first);
		}
		for (const callee of calls) if (cost <= left) cost += costOf(callee, left - cost);
		// Of what was too long here, another caller may have enough left: it is not asked again, and counts as not brief.
		if (cost > left) return Infinity;
		costs.set(fn, cost);
		return cost;
	};
	const isBrief = ({ kind, name, index }: Module["exports"][number]): boolean =>
		kind === "func" && names.has(name) && costOf(index, BRIEF) <= BRIEF;
	return module.exports.filter(isBrief).map(({ name }) => name);
}
