import { Reader } from "../bytes/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { MAX_FUNCTIONS } from "./limits.ts";

export interface ModuleNames {
	readonly module?: string;
	readonly functions: ReadonlyMap<number, string>;
}

const MODULE_NAME = 0;
const FUNCTION_NAMES = 1;

/**
 * The content of a `name` section (core specification, appendix Custom Sections): the module's name and those of functions.
 * The section binds nobody: what is malformed is left out, and nothing throws.
 */
export function decodeNames(bytes: Uint8Array, offset = 0): ModuleNames {
	const functions = new Map<number, string>();
	let module: string | undefined;
	const reader = new Reader(bytes, offset);
	try {
		while (!reader.done) {
			const id = reader.u8();
			const content = reader.sub(reader.u32());
			if (id === MODULE_NAME) {
				module = content.name();
			} else if (id === FUNCTION_NAMES) {
				for (let n = content.count("function names", MAX_FUNCTIONS, 2); n > 0; n--) {
					functions.set(content.u32(), content.name());
				}
			}
		}
	} catch (error) {
		if (!(error instanceof SkerryError)) throw error;
	}
	return { ...(module === undefined ? {} : { module }), functions };
}
