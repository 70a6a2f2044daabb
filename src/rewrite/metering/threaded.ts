import { type CodeReader, defineSkim, type LocalRun, type Module, type SubTypeSyntax } from "../../wasm/mod.ts";
import { isTailCall } from "./control.ts";

/** The fuel as a value: a parameter behind all others, and a result behind the other one. */
const FUEL = { kind: "number", name: "i64" } as const;

/** With more parameters, one more might be too many. */
const MAX_PARAMS = 100;

const TAIL_CALL = defineSkim(isTailCall);

/**
 * Finds the functions that are given the fuel as a parameter and give it back as a result, so that nobody need look for it in the cell:
 * those that are called by name alone and have one result at most (of two, V8 keeps both in registers). In modules with tail calls, which
 * give back what others have, there are none; nor in those with exceptions, whose handlers read the cell.
 * @param isClosed whether all calls of a body are known, and it does something with the fuel
 */
export function findThreaded(module: Module, reader: CodeReader, isClosed: (body: number) => boolean): Uint8Array {
	const threaded = new Uint8Array(module.functions.length);
	const types = module.types.flat();
	const isFit = ({ composite }: SubTypeSyntax): boolean =>
		composite.kind === "func" &&
		composite.params.length < MAX_PARAMS &&
		composite.results.length <= 1 &&
		composite.results.every(({ kind }) => kind === "number");
	const fit = types.map(isFit);
	for (const [body, type] of module.functions.entries()) if (fit[type] === true && isClosed(body)) threaded[body] = 1;
	for (let body = 0; body < threaded.length; body++) {
		reader.enter(body);
		if (reader.nextOf(TAIL_CALL) && hasTailCall(reader)) return threaded.fill(0);
	}
	return threaded;
}

/** `nextOf` also stops at what is long. */
function hasTailCall(reader: CodeReader): boolean {
	do if (isTailCall(reader.op)) return true;
	while (reader.nextOf(TAIL_CALL));
	return false;
}

/** Gives threaded functions their types: one behind all others for each of those that they had, in the order in which these first come. */
export function addThreadedTypes(module: Module, threaded: Uint8Array): Module {
	const types = module.types.flat();
	const added: (readonly SubTypeSyntax[])[] = [];
	const changed = new Map<number, number>();
	const functions = module.functions.map((type, body) => {
		if (threaded[body] !== 1) return type;
		const known = changed.get(type);
		if (known !== undefined) return known;
		const composite = types[type]?.composite;
		if (composite?.kind !== "func") return type;
		const { params, results } = composite;
		added.push([
			{
				final: true,
				supertypes: [],
				composite: { kind: "func", params: [...params, FUEL], results: [...results, FUEL] },
			},
		]);
		const index = types.length + added.length - 1;
		changed.set(type, index);
		return index;
	});
	return added.length === 0 ? module : { ...module, types: [...module.types, ...added], functions };
}

/** The declarations without the first local, which stands behind all others then: its place is that of the fuel. */
export function moveFirst(runs: readonly LocalRun[]): readonly LocalRun[] {
	const [first, ...others] = runs.filter(({ count }) => count > 0);
	if (first === undefined) return [];
	const { count, type } = first;
	return [...(count > 1 ? [{ count: count - 1, type }] : []), ...others, { count: 1, type }];
}
