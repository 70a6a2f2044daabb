import type { FunctionType } from "../component/mod.ts";
import { generateLift, generateNestedLift } from "./generate/mod.ts";
import { InterpretedLift, type Lift } from "./interpret-lift.ts";
import { signatureOf } from "./signature.ts";
import type { ComponentFunction, ComponentInstance } from "./store.ts";

type Entered = readonly ComponentInstance[] | null;

/** A guest's function. The code that calls it is made when it is first called, unless there is some for its type. */
export class LiftedFunction implements ComponentFunction {
	readonly type: FunctionType;
	readonly instance: ComponentInstance;
	readonly #lift: Lift;
	#interpreted: InterpretedLift | undefined;
	#invoke: ((...args: unknown[]) => unknown) | undefined;
	#callFrom: (entered: Entered, args: readonly unknown[]) => unknown;

	constructor(lift: Lift) {
		this.type = lift.type;
		this.instance = lift.instance;
		this.#lift = lift;
		// Refuses what cannot be lifted now, not in a call.
		signatureOf(lift.type);
		this.#callFrom = (entered, args) => {
			this.#callFrom = generateNestedLift(lift) ?? ((into, values) => this.#interpret().callFrom(into, values, true));
			return this.#callFrom(entered, args);
		};
	}

	get invoke(): (...args: unknown[]) => unknown {
		return (this.#invoke ??= this.#generate());
	}

	#generate(): (...args: unknown[]) => unknown {
		const interpret = (): InterpretedLift => this.#interpret();
		const generated = generateLift(this.#lift, interpret);
		return generated ?? ((...args) => interpret().call(args));
	}

	#interpret(): InterpretedLift {
		return (this.#interpreted ??= new InterpretedLift(this.#lift));
	}

	call(args: readonly unknown[]): unknown {
		return this.invoke(...args);
	}

	/** A call by another guest, which enters `entered`. Its values are carried: see `Context.carried`. */
	callFrom(entered: Entered, args: readonly unknown[]): unknown {
		return this.#callFrom(entered, args);
	}
}
