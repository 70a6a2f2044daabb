import { countImports, type Module, type ValueTypeSyntax } from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import type { CodeEditor } from "./code-editor.ts";
import { countParams } from "./control.ts";
import { type FuelParts, FuelWriter } from "./fuel-writer.ts";
import { LoopFinder, OUTLINED } from "./loops.ts";
import { findPrepaid, type FuelLedger } from "./prepaid.ts";
import { findStrips } from "./strips.ts";
import { moveFirst } from "./threaded.ts";
import { findWide } from "./wide.ts";

/**
 * How many instructions a loop has at least, if it does not count, to have its slow path outside: what searches by short turns is mostly over
 * after few of them, and the blocks around it were measured to cost more than the call in it.
 */
const LEAST_SEARCH = 40;

const I64 = { kind: "number", name: "i64" } as const;

/**
 * Exact, deterministic fuel: every instruction that runs costs one, but those that do nothing (`nop`, `drop`) and those that only
 * delimit (`block`, `loop`, `try`, `try_table`, `else`, `catch`, `catch_all`, `delegate`, `end`, `return`, `unreachable`), which are
 * free. Bulk operations cost one more for each 64 bytes of a memory, and for each element of a table or an array, once they are done. What
 * is counted is the module as this pass gets it.
 *
 * What runs together is paid together, where it is best (`findSegments`), and never late; what the first run of a function pays that is called by name alone
 * is paid by its callers (`findPrepaid`). Paying takes from a local. Functions that are called by name alone are given the fuel as a parameter, and
 * give it back as a result (`findThreaded`). The cell in memory is right wherever anyone else can look: at calls of what
 * pays by itself, where a function ends that others can call, at `unreachable`, and where an exception is caught. At a trap it is as it was
 * the last time that it was written, with what is paid ahead there, however often the guest had to ask for more since: who asks is told exactly what is
 * used, so that the engine can take it down where the program alone says when (`MILESTONE` of `engine/stop/account`). That makes the count depend on nothing
 * but the program: not on the machine, not on slices. An exception of the host's that passes through a module which knows no exceptions is like a trap.
 *
 * Loop heads, and places so that what runs between two is bounded (`planChecks`), look whether the local is negative: at the first of these
 * at which more is consumed than was given the guest can be ended, so that point is the program's alone, too. There, no more is paid ahead
 * than what will run: who is given what it uses comes to its end.
 */
export function insertFuel(
	module: Module,
	survey: Survey,
	sitesOf: readonly (readonly number[] | undefined)[],
	editor: CodeEditor,
	parts: FuelParts,
): FuelLedger {
	const params = countParams(module);
	const loops: number[] = [];
	const finder = new LoopFinder(params);
	const { reader } = editor;
	const { ledger, segmentsOf } = findPrepaid(module, survey, reader, parts.throws, sitesOf);
	const imported = countImports(module).func;
	const isWide = findWide(module);
	const types = module.types.flat();
	const resultOf = (type: number): ValueTypeSyntax | null => {
		const composite = types[type]?.composite;
		return composite?.kind === "func" ? (composite.results[0] ?? null) : null;
	};
	const isPure = (callee: number): boolean => ledger.pure[callee - imported] === 1;
	const takesFuel = (callee: number): boolean => ledger.threaded[callee - imported] === 1;
	const callsThreaded = (body: number): boolean =>
		survey.calls.subarray(survey.callStarts[body], survey.callStarts[body + 1]).some(takesFuel);
	for (let body = 0; body < module.code.starts.length; body++) {
		const { pairs: segments, branches } = segmentsOf(body);
		segments[1] = (segments[1] ?? 0) - (ledger.prepaid[body] ?? 0);
		const sites = sitesOf[body] ?? [];
		reader.enter(body);
		finder.find(reader, loops);
		const { isBulk } = finder;
		if (loops.some((bits, loop) => bits === OUTLINED && finder.sizeOf(loop) < LEAST_SEARCH)) {
			const strips = findStrips(reader, body, params);
			for (const loop of loops.keys()) if (finder.sizeOf(loop) < LEAST_SEARCH && !strips.has(loop)) loops[loop] = 0;
		}
		// A loop that is reached has a segment of its own
		const isLooping = loops.length > 0 && segments.length > 2;
		const isThreaded = ledger.threaded[body] === 1;
		const hasNone =
			sites.length === 0 && !isLooping && !isBulk && segments.every((cost, i) => i % 2 === 0 || cost === 0);
		if (hasNone && !isThreaded && !callsThreaded(body)) {
			editor.copy(body);
			continue;
		}
		editor.begin(body);
		const runs = reader.locals();
		const type = module.functions[body] ?? 0;
		const first = params[type] ?? 0;
		const behind = first + runs.reduce((sum, { count }) => sum + count, 0);
		const own = (isThreaded ? 0 : 1) + (isBulk ? 1 : 0);
		const added = own === 0 ? [] : [{ count: own, type: I64 }];
		editor.writer
			.replace(reader.bodyStart, reader.codeStart)
			.locals([...(isThreaded ? moveFirst(runs) : runs), ...added]);
		new FuelWriter(editor, {
			...parts,
			local: isThreaded ? first : behind,
			behind,
			result: isThreaded ? resultOf(type) : undefined,
			segments,
			branches,
			loops,
			sites,
			isPure,
			takesFuel,
			isWide,
		}).write();
		editor.finishBody();
	}
	return ledger;
}
