/** A module of Node's own, by its name; `undefined` outside of Node. What is below `sys` imports none. */
export function builtin(name: string): unknown {
	const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
	return process?.getBuiltinModule?.(name);
}

/** The little of `node:v8` that is needed. */
export interface NodeV8 {
	getHeapStatistics(): { readonly used_heap_size: number; readonly heap_size_limit: number };
	getHeapSpaceStatistics(): readonly {
		readonly space_name: string;
		readonly space_used_size: number;
		readonly space_available_size: number;
	}[];
	setFlagsFromString(flags: string): void;
}

export function nodeV8(): NodeV8 | undefined {
	return builtin("node:v8") as NodeV8 | undefined;
}
