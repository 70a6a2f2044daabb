import type { ResourceType } from "../../component/mod.ts";

/**
 * Source text as it grows. All that comes from a type is a number or goes through `JSON.stringify`: nothing that a guest names can be
 * more than a literal.
 */
export class Emitter {
	readonly #lines: string[] = [];
	readonly #constants = new Map<string, string>();
	readonly #resources: readonly ResourceType[];
	#names = 0;

	constructor(resources: readonly ResourceType[]) {
		this.#resources = resources;
	}

	line(text: string): void {
		this.#lines.push(text);
	}

	/** A new name; all names of the runtime are words without digits. */
	name(): string {
		return `v${this.#names++}`;
	}

	/** Names the value of an expression that must be evaluated here, and once. */
	define(expression: string): string {
		const name = this.name();
		this.line(`const ${name} = ${expression};`);
		return name;
	}

	/** The name of a constant that all calls share. */
	constant(expression: string): string {
		let name = this.#constants.get(expression);
		if (name === undefined) this.#constants.set(expression, (name = `K${this.#constants.size}`));
		return name;
	}

	/** The name that a resource type is bound to. */
	resource(type: ResourceType): string {
		return `R${this.#resources.indexOf(type)}`;
	}

	/** The lines so far, which are taken out. */
	take(): string {
		return this.#lines.splice(0).join("\n");
	}

	constants(): string {
		return [...this.#constants].map(([expression, name]) => `const ${name} = ${expression};`).join("\n");
	}
}
