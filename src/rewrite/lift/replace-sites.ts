import {
	type BranchHint,
	type BranchHints,
	CodeReader,
	CodeWriter,
	countImports,
	defineSkim,
	type Module,
	OP,
} from "../../wasm/mod.ts";
import type { Survey } from "../survey.ts";
import type { Additions } from "./additions.ts";
import { Replacements } from "./replacements.ts";

const { "memory.size": MEMORY_SIZE, "memory.grow": MEMORY_GROW, "table.set": TABLE_SET, throw: THROW } = OP;

/** Code with the instructions replaced that depend on what the engine owns, and hints where they have moved to. */
export interface ReplacedCode {
	/** The very same object when there was nothing to replace. */
	readonly code: Module["code"];
	readonly hints: BranchHints | null;
}

/** Those that may be replaced, as far as they have no prefix. */
const WANTED: ReadonlySet<number> = new Set([MEMORY_SIZE, MEMORY_GROW, TABLE_SET, THROW]);
const SKIM = defineSkim((op) => WANTED.has(op));

/** Replaces instructions; what they need is added. `hints` of the guest's code, by function; `null` for none that can be read. */
export function replaceSites(
	module: Module,
	survey: Survey,
	added: Additions,
	hints: BranchHints | null,
): ReplacedCode {
	const { code } = module;
	const firstFunction = countImports(module).func;
	const replacements = new Replacements(module, survey, added);
	const moved = new Map<number, readonly BranchHint[]>(hints ?? []);
	const reader = new CodeReader(code);
	let writer: CodeWriter | undefined;
	/** Bodies up to here are written. */
	let written = 0;
	const copyUpTo = (out: CodeWriter, body: number): void => {
		for (; written < body; written++) out.begin(code.starts[written] ?? 0).finishBody(code.ends[written] ?? 0);
	};
	for (let body = 0; body < code.starts.length; body++) {
		if (survey.siteBodies[body] !== 1) continue;
		const old = hints?.get(firstFunction + body);
		const offsets = new Map(old?.map(({ offset, likely }) => [offset, likely]));
		const kept: BranchHint[] = [];
		let begun = false;
		reader.enter(body);
		const walk = (): void => {
			// Where hints may have to be moved, each instruction is looked at
			while (offsets.size > 0 ? reader.next() : reader.nextOf(SKIM)) {
				const replacement = replacements.replacement(reader);
				if (replacement !== undefined) {
					writer ??= new CodeWriter(code);
					if (!begun) {
						copyUpTo(writer, body);
						writer.begin(reader.bodyStart);
						begun = true;
					}
					writer.replace(reader.start, reader.end).out.raw(replacement);
				} else if (offsets.size > 0) {
					const at = reader.start - reader.bodyStart;
					const likely = offsets.get(at);
					if (likely === undefined) continue;
					kept.push({ offset: begun && writer !== undefined ? writer.offsetOf(reader.start) : at, likely });
				}
			}
		};
		walk();
		if (!begun || writer === undefined) continue;
		writer.finishBody(reader.end);
		written = body + 1;
		if (old !== undefined) moved.set(firstFunction + body, kept);
	}
	if (added.functions.length > 0) writer ??= new CodeWriter(code);
	if (writer === undefined) return { code, hints };
	copyUpTo(writer, code.starts.length);
	for (const { body } of added.functions) {
		writer.begin(0).out.raw(body);
		writer.finishBody(0);
	}
	return { code: writer.finish(), hints: hints === null ? null : moved };
}
