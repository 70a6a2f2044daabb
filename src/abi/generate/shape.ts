import { type FunctionType, type ResourceType, type ValueType } from "../../component/mod.ts";

/**
 * What generated code depends on of a function type: functions of equal shape share it, whichever component they are of. Names of
 * functions, parameters and resources are not part of it.
 */
export interface Shape {
	readonly key: string;
	/** The type's resources; the shape knows them by their place in this list. */
	readonly resources: readonly ResourceType[];
}

/** Types of more nodes than this, all written out, are left to the interpreter: their code would be large and seldom used. */
const MAX_NODES = 500;
/** The same for the characters of their names. */
const MAX_KEY_CHARS = 16_384;

/** `null` for what is rare: a type too large, or one with a property that JavaScript takes for the prototype. */
export function shapeOf(type: FunctionType): Shape | null {
	const writer = new ShapeWriter();
	for (const param of type.params) writer.write(param.type);
	writer.text("->");
	if (type.result !== null) writer.write(type.result);
	return writer.finish();
}

class ShapeWriter {
	readonly #resources: ResourceType[] = [];
	#key = "";
	#nodes = 0;
	#rare = false;

	finish(): Shape | null {
		return this.#rare ? null : { key: this.#key, resources: this.#resources };
	}

	text(text: string): void {
		this.#key += text;
	}

	write(type: ValueType | null): void {
		if (++this.#nodes > MAX_NODES || this.#key.length > MAX_KEY_CHARS) this.#rare = true;
		if (this.#rare) return;
		if (type === null) {
			this.#key += "_,";
			return;
		}
		this.#key += type.kind;
		switch (type.kind) {
			case "record":
				for (const { key, type: field } of type.fields) {
					this.#name(key);
					this.write(field);
				}
				break;
			case "variant":
				for (const { name, type: payload } of type.cases) {
					this.#name(name);
					this.write(payload);
				}
				break;
			case "list":
				if (type.length !== undefined) this.#key += `*${type.length}`;
				this.write(type.element);
				break;
			case "map":
				this.write(type.key);
				this.write(type.value);
				break;
			case "tuple":
				for (const element of type.elements) this.write(element);
				break;
			case "flags":
				for (const key of type.keys) this.#name(key);
				break;
			case "enum":
				for (const name of type.names) this.#name(name);
				break;
			case "option":
				this.write(type.element);
				break;
			case "result":
				this.write(type.ok);
				this.write(type.err);
				break;
			case "own":
			case "borrow":
				this.#key += this.#resource(type.resource);
				break;
			case "stream":
			case "future":
			case "error-context":
				this.#rare = true;
				break;
			default:
		}
		this.#key += ",";
	}

	#name(name: string): void {
		if (++this.#nodes > MAX_NODES || name === "__proto__") this.#rare = true;
		this.#key += JSON.stringify(name);
	}

	#resource(resource: ResourceType): number {
		const found = this.#resources.indexOf(resource);
		return found >= 0 ? found : this.#resources.push(resource) - 1;
	}
}
