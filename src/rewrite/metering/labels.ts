import { CodeReader, countImports, type IndirectNameMap, type Module, operatorOf } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";

/** The names of labels after checks were inserted: at the entries of these bodies and in every loop. */
export function moveLabels(
	module: Module,
	survey: Survey,
	entries: Uint8Array,
	labels: IndirectNameMap,
): IndirectNameMap {
	const imported = countImports(module).func;
	const reader = new CodeReader(module.code);
	const moved = new Map(labels);
	for (const [index, names] of labels) {
		const body = index - imported;
		if (body < 0 || body >= survey.codeStarts.length) continue;
		const numbers: number[] = [];
		// A check's `if` has a number too
		let next = entries[body] === 1 ? 1 : 0;
		reader.enter(body);
		while (reader.next()) {
			const operator = operatorOf(reader.op);
			if (operator?.atoms[0] !== "block") continue;
			numbers.push(next);
			next += operator.name === "loop" ? 2 : 1;
		}
		moved.set(index, new Map([...names].map(([label, name]) => [numbers[label] ?? label, name])));
	}
	return moved;
}
