import type { FunctionType } from "../component/mod.ts";
import { generateLift, generateNestedLift } from "./generate/mod.ts";
import { InterpretedLift, type Lift, type Turn } from "./interpret-lift.ts";
import { signatureOf } from "./signature.ts";
import type { ComponentFunction, ComponentInstance } from "./store.ts";

type Entered = readonly ComponentInstance[] | null;

/** A guest's function. The code that calls it is made when it is first called, unless there is some for its type. */
export class LiftedFunction implements ComponentFunction {
	readonly type: FunctionType;
	readonly instance: ComponentInstance;
	/** `null` where one call of the guest is all there is to do. */
	readonly #turn: Turn | null;
	#call: (args: readonly unknown[]) => unknown;
	#callFrom: (entered: Entered, args: readonly unknown[]) => unknown;

	constructor(lift: Lift, turn: Turn | null) {
		this.#turn = lift.options.realloc === null && lift.options.postReturn === null ? null : turn;
		this.type = lift.type;
		this.instance = lift.instance;
		// Refuses what cannot be lifted now, not in a call.
		signatureOf(lift.type);
		let interpreted: InterpretedLift | undefined;
		const interpret = (): InterpretedLift => (interpreted ??= new InterpretedLift(lift));
		this.#call = (args) => {
			this.#call = generateLift(lift, interpret) ?? ((values) => interpret().call(values));
			return this.#call(args);
		};
		this.#callFrom = (entered, args) => {
			this.#callFrom = generateNestedLift(lift) ?? ((into, values) => interpret().callFrom(into, values, true));
			return this.#callFrom(entered, args);
		};
	}

	call(args: readonly unknown[]): unknown {
		const turn = this.#turn;
		if (turn === null || !turn.hold()) return this.#call(args);
		try {
			return this.#call(args);
		} finally {
			turn.release();
		}
	}

	/** A call by another guest, which enters `entered`. Its values are carried: see `Context.carried`. */
	callFrom(entered: Entered, args: readonly unknown[]): unknown {
		return this.#callFrom(entered, args);
	}
}
