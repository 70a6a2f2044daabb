import { headOf, parseSExprs, type SExpr } from "./sexpr.ts";
import { loadTextParser, type TextParser } from "./parser.ts";
import { type Action, type Command, parseScript, type Unit } from "./script.ts";

/** A script made ready to be run many times. */
export interface CoreScript {
	readonly commands: readonly Command[];
	/** The bytes of each unit, or why its text does not parse. */
	readonly bytes: ReadonlyMap<Unit, Uint8Array | Error>;
	/** All that the script does to the module instance of a unit. */
	readonly actions: ReadonlyMap<Unit, readonly Action[]>;
	/** Units whose instance other modules import from. */
	readonly registered: ReadonlySet<Unit>;
}

export async function prepareScript(text: string): Promise<CoreScript> {
	const parse = await loadTextParser();
	const commands = parseScript(text);
	const bytes = new Map<Unit, Uint8Array | Error>();
	const actions = new Map<Unit, Action[]>();
	const registered = new Set<Unit>();
	const named = new Map<string, Unit | undefined>();
	let latest: Unit | undefined;
	const find = (id: string | null): Unit | undefined => (id === null ? latest : named.get(id));
	for (const command of commands) {
		if ("unit" in command) bytes.set(command.unit, await bytesOf(command.unit, parse));
		if ("action" in command) {
			const unit = find(command.action.instance);
			if (unit !== undefined) actions.get(unit)?.push(command.action);
		} else if (command.kind === "register") {
			const unit = find(command.instance);
			if (unit !== undefined) registered.add(unit);
		} else if (command.kind === "instance" || (command.kind === "unit" && !command.unit.definition)) {
			latest = command.kind === "unit" ? command.unit : undefined;
			const id = command.kind === "unit" ? command.unit.id : command.id;
			if (id !== null) named.set(id, latest);
			if (latest !== undefined) actions.set(latest, []);
		}
	}
	return { commands, bytes, actions, registered };
}

async function bytesOf({ source }: Unit, parse: TextParser): Promise<Uint8Array | Error> {
	if (source.kind === "binary") return source.bytes;
	try {
		return await parse(source.kind === "text" ? toParsable(source.text) : source.text);
	} catch (error) {
		return error instanceof Error ? error : new Error(String(error));
	}
}

/** The module's text without what the parser does not take, though it is right. */
function toParsable(text: string): string {
	// It suspects letters that can be mistaken for others; escaped, they are only bytes of a name.
	const ascii = text.replaceAll(/[\u0080-\u{10ffff}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
	if (!/\(try\b/.test(ascii)) return ascii;
	const [module] = parseSExprs(ascii);
	return module === undefined ? ascii : unfold(module, ascii);
}

/** Exception handling as it was at first, `(try (do …) (catch $tag …))`, as the plain instructions `try … catch $tag … end`. */
function unfold(expr: SExpr, text: string): string {
	if (expr.kind !== "list") return text.slice(expr.start, expr.end);
	const all = (items: readonly SExpr[]): string => items.map((item) => unfold(item, text)).join(" ");
	if (headOf(expr) !== "try") return `(${all(expr.items)})`;
	const clauses = expr.items.map((item) => {
		const isClause = /^(do|catch|catch_all|delegate)$/.test(headOf(item));
		if (item.kind !== "list" || !isClause) return unfold(item, text);
		return all(headOf(item) === "do" ? item.items.slice(1) : item.items);
	});
	const isDelegated = expr.items.some((item) => headOf(item) === "delegate");
	return `${clauses.join(" ")}${isDelegated ? "" : " end"}`;
}
