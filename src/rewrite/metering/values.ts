import { type CodeReader, countImports, type Module, OP } from "../../wasm/mod.ts";
import {
	BLOCK,
	BR,
	BR_IF,
	BR_TABLE,
	CALL,
	CATCH,
	DELEGATE,
	ELSE,
	END,
	FLOW,
	IF,
	isTailCall,
	labelsOf,
	LOOP,
	RETURN,
	THROW,
	TRY,
} from "./control.ts";
import { COST, costOfFields, costOfLabels, costOfParams, costOfValues } from "./costs.ts";

/** A type of a module, in nanoseconds beyond what its instructions cost anyway. */
interface Costs {
	/** To bring values to the head of a loop or the arms of an `if`, and from a block or a function. */
	readonly enter: number;
	readonly leave: number;
	/** To give parameters to a function. */
	readonly call: number;
	/** To make an object. */
	readonly create: number;
}

const NO_COSTS: Costs = { enter: 0, leave: 0, call: 0, create: 0 };

function isMany({ enter, leave }: Costs): boolean {
	return enter + leave > 0;
}

/**
 * What instructions cost by the values that they take along: branches and ends of blocks, calls, returns, exceptions; and tables by their labels. It is nothing in most
 * bodies (`mayCost`); in others, all that does something to the flow of control is to be told in its order.
 */
export class Values {
	readonly #types: readonly Costs[];
	/** By function and by tag, with the imports. */
	readonly #functions: readonly number[];
	readonly #tags: readonly number[];
	/** What a handler costs at most that takes over what was thrown: as much is counted where its block begins. */
	readonly caught: number;
	readonly #imported: number;
	/** Of the blocks that are open what branches to them cost, and their ends. */
	readonly #labels: number[] = [];
	readonly #ends: number[] = [];

	constructor(module: Module) {
		this.#types = module.types.flat().map(({ composite }): Costs => {
			if (composite.kind === "struct")
				return { enter: 0, leave: 0, call: 0, create: costOfFields(composite.fields.length) };
			if (composite.kind !== "func") return NO_COSTS;
			const { params, results } = composite;
			const [enter, leave] = [costOfValues(params.length), costOfValues(results.length)];
			return { enter, leave, call: costOfParams(params.length), create: 0 };
		});
		this.#imported = countImports(module).func;
		const imported = (kind: "func" | "tag"): readonly number[] =>
			module.imports.flatMap(({ type }) => (type.kind === kind ? [type.type] : []));
		this.#functions = [...imported("func"), ...module.functions];
		this.#tags = [...imported("tag"), ...module.tags.map(({ type }) => type)];
		this.caught = this.#tags.reduce((most, type) => Math.max(most, this.#of(type).enter), 0);
	}

	/** Whether the current instruction may cost something by its values, or a branch to the block that it begins. */
	mayCost(reader: CodeReader): boolean {
		const { op, first } = reader;
		switch (FLOW[op]) {
			case LOOP:
			case BLOCK:
			case IF:
				return first >= 0 && isMany(this.#of(first));
			case TRY:
				return this.caught > 0 || isMany(this.#blockOf(reader));
			case BR_TABLE:
				return costOfLabels(first) > 0;
			default:
				return this.#ownCost(op, first) > 0 || (FLOW[op] === CALL && this.#calleeOf(op, first).leave > 0);
		}
	}

	/** A body begins. @returns whether its end may cost something */
	enter(body: number): boolean {
		const { leave } = this.#functionOf(this.#imported + body);
		this.#labels.length = this.#ends.length = 1;
		this.#labels[0] = this.#ends[0] = leave;
		return leave > 0;
	}

	/** What the current instruction costs by its values; of a call, what it gives. */
	step(reader: CodeReader): number {
		const { op, first } = reader;
		switch (FLOW[op]) {
			case LOOP:
			case BLOCK:
			case IF:
			case TRY: {
				const { enter, leave } = this.#blockOf(reader);
				const isLoop = FLOW[op] === LOOP;
				this.#labels.push(isLoop ? enter : leave);
				this.#ends.push(leave);
				return FLOW[op] === TRY ? this.caught : FLOW[op] === BLOCK ? 0 : enter;
			}
			case ELSE:
			case CATCH:
				return this.#ends.at(-1) ?? 0;
			case END:
			case DELEGATE:
				this.#labels.pop();
				return this.#ends.pop() ?? 0;
			case BR:
			case BR_IF:
				return this.#labels.at(-1 - (labelsOf(reader)[0] ?? 0)) ?? 0;
			case BR_TABLE:
				// All labels of a table take the same
				return costOfLabels(first) + (this.#labels.at(-1 - (labelsOf(reader)[0] ?? 0)) ?? 0);
			case RETURN:
				return isTailCall(op) ? this.#ownCost(op, first) : (this.#ends[0] ?? 0);
			default:
				return this.#ownCost(op, first);
		}
	}

	/** What it costs to take over the results of the call that is the current instruction. */
	behind({ op, first }: CodeReader): number {
		return FLOW[op] === CALL ? this.#calleeOf(op, first).leave : 0;
	}

	/** What it costs to call a function by its index, without what it runs. */
	costOfCall(index: number): number {
		return (COST[OP.call] as number) + this.#functionOf(index).call;
	}

	/** What does not depend on the blocks that are open. */
	#ownCost(op: number, first: number): number {
		if (FLOW[op] === CALL || isTailCall(op)) return this.#calleeOf(op, first).call;
		if (FLOW[op] === THROW) return op === OP.throw ? this.#of(this.#tags[first]).enter : 0;
		return op === OP["struct.new_default"] ? this.#of(first).create : 0;
	}

	#of(type: number | undefined): Costs {
		return this.#types[type ?? -1] ?? NO_COSTS;
	}

	#functionOf(index: number): Costs {
		return this.#of(this.#functions[index]);
	}

	#calleeOf(op: number, first: number): Costs {
		return op === OP.call || op === OP.return_call ? this.#functionOf(first) : this.#of(first);
	}

	#blockOf(reader: CodeReader): Costs {
		if (reader.op !== OP.try_table) return this.#of(reader.first);
		const [type] = reader.immediates();
		return typeof type === "number" ? this.#of(type) : NO_COSTS;
	}
}
