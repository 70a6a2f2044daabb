import type { FunctionType } from "../component/mod.ts";
import { generateLift, generateNestedLift } from "./generate/mod.ts";
import { type CallFrom, InterpretedLift, type Lift } from "./interpret-lift.ts";
import { signatureOf } from "./signature.ts";
import type { ComponentFunction, ComponentInstance } from "./store.ts";

/** A guest's function. The code that calls it is made when it is first called, unless there is some for its type. */
export class LiftedFunction implements ComponentFunction {
	readonly type: FunctionType;
	readonly instance: ComponentInstance;
	readonly #lift: Lift;
	#interpreted: InterpretedLift | undefined;
	#invoke: ((...args: unknown[]) => unknown) | undefined;
	#callFrom: CallFrom;

	constructor(lift: Lift) {
		this.type = lift.type;
		this.instance = lift.instance;
		this.#lift = lift;
		// Refuses what cannot be lifted now, not in a call.
		signatureOf(lift.type);
		this.#callFrom = (...call) => {
			this.#callFrom = generateNestedLift(lift) ?? ((...later) => this.#interpret().callFrom(...later));
			return this.#callFrom(...call);
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

	known(name: string): void {
		this.#lift.name ??= name;
	}

	get immediate(): boolean {
		const { bare } = this.#lift;
		return bare !== null && bare.brief !== null;
	}

	call(args: readonly unknown[]): unknown {
		return this.invoke(...args);
	}

	/** A call by another guest, which enters `entered`: see `CallFrom`. */
	callFrom(...[entered, args, deliver, scope, epoch, out]: Parameters<CallFrom>): ReturnType<CallFrom> {
		return this.#callFrom(entered, args, deliver, scope, epoch, out);
	}
}
