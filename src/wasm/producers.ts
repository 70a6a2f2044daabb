import { Reader } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";

/** Tool-conventions, ProducersSection.md: `language`, `processed-by`, `sdk`. */
export interface Producer {
	readonly field: string;
	readonly name: string;
	readonly version: string;
}

/** The content of a `producers` section, of a module or a component. What is malformed is left out, and nothing throws. */
export function decodeProducers(bytes: Uint8Array, offset = 0): readonly Producer[] {
	const producers: Producer[] = [];
	const reader = new Reader(bytes, offset);
	try {
		for (let fields = reader.count("fields"); fields > 0; fields--) {
			const field = reader.name();
			for (let values = reader.count("producers"); values > 0; values--) {
				producers.push({ field, name: reader.name(), version: reader.name() });
			}
		}
	} catch (error) {
		if (!(error instanceof SkerryError)) throw error;
	}
	return producers;
}
