import { headOf, parseSExprs, type SExpr, textOf } from "./sexpr.ts";

/** How a script gives a module or component: as text, as quoted text (of which the test is that it may not parse), or as bytes. */
export type Source =
	| { readonly kind: "text" | "quote"; readonly text: string }
	| { readonly kind: "binary"; readonly bytes: Uint8Array };

export interface Unit {
	readonly sort: "component" | "module";
	/** `$name` with its dollar. */
	readonly id: string | null;
	/** Declared by `(component definition …)`: not instantiated. */
	readonly definition: boolean;
	readonly source: Source;
	readonly line: number;
}

/** Arguments and expected results stay expressions, such as `(u32.const 1)`: what they mean is for the runner. */
export type Action =
	| {
			readonly kind: "invoke";
			readonly instance: string | null;
			readonly name: string;
			readonly args: readonly SExpr[];
			readonly line: number;
	  }
	| { readonly kind: "get"; readonly instance: string | null; readonly name: string; readonly line: number };

export type Command =
	| { readonly kind: "unit"; readonly unit: Unit; readonly line: number }
	/** `(component instance $instance $definition)`, or of a module. */
	| {
			readonly kind: "instance";
			readonly id: string | null;
			readonly definition: string | null;
			readonly line: number;
	  }
	| { readonly kind: "register"; readonly name: string; readonly instance: string | null; readonly line: number }
	| { readonly kind: "action"; readonly action: Action; readonly line: number }
	| {
			readonly kind: "assert_return";
			readonly action: Action;
			readonly results: readonly SExpr[];
			readonly line: number;
	  }
	| {
			readonly kind: "assert_trap" | "assert_exhaustion" | "assert_exception";
			readonly action: Action;
			readonly message: string;
			readonly line: number;
	  }
	/** `assert_trap` of a module or component whose instantiation traps. */
	| { readonly kind: "assert_uninstantiable"; readonly unit: Unit; readonly message: string; readonly line: number }
	| {
			readonly kind:
				| "assert_invalid"
				| "assert_invalid_custom"
				| "assert_malformed"
				| "assert_malformed_custom"
				| "assert_unlinkable";
			readonly unit: Unit;
			readonly message: string;
			readonly line: number;
	  }
	/** A command that this parser does not know (`thread`, `wait`). */
	| { readonly kind: "unknown"; readonly name: string; readonly line: number };

type List = Extract<SExpr, { kind: "list" }>;

/** The commands of a `.wast` script, in order. */
export function parseScript(text: string): readonly Command[] {
	const exprs = parseSExprs(text);
	const line = exprs[0]?.line ?? 1;
	if (exprs.length > 0 && exprs.every((expr) => MODULE_FIELDS.has(headOf(expr)))) {
		const unit: Unit = {
			sort: "module",
			id: null,
			definition: false,
			source: { kind: "text", text: `(module ${text})` },
			line,
		};
		return [{ kind: "unit", unit, line }];
	}
	return exprs.map((expr) => command(expr, text));
}

/** A script of nothing but these is one module without its parentheses. */
const MODULE_FIELDS: ReadonlySet<string> = new Set([
	"data",
	"elem",
	"export",
	"func",
	"global",
	"import",
	"memory",
	"rec",
	"start",
	"table",
	"tag",
	"type",
]);

/** The line and the text of the items that remain of a list, with what may stand before them taken off. */
class Items {
	readonly #items: readonly SExpr[];
	#next = 1;

	constructor(list: SExpr) {
		this.#items = list.kind === "list" ? list.items : [];
	}

	/** An optional `$name`. */
	id(): string | null {
		const item = this.#items[this.#next];
		if (item?.kind !== "atom" || !item.text.startsWith("$")) return null;
		this.#next++;
		return item.text;
	}

	/** Whether the next item is this atom, which is then taken. */
	keyword(text: string): boolean {
		const item = this.#items[this.#next];
		if (item?.kind !== "atom" || item.text !== text) return false;
		this.#next++;
		return true;
	}

	next(): SExpr | undefined {
		return this.#items[this.#next++];
	}

	rest(): readonly SExpr[] {
		return this.#items.slice(this.#next);
	}
}

function command(expr: SExpr, text: string): Command {
	const { line } = expr;
	const name = headOf(expr);
	const items = new Items(expr);
	switch (name) {
		case "component":
		case "module":
			if (items.keyword("instance")) return { kind: "instance", id: items.id(), definition: items.id(), line };
			return { kind: "unit", unit: unit(expr, text), line };
		case "register":
			return { kind: "register", name: textOf(items.next()), instance: items.id(), line };
		case "invoke":
		case "get":
			return { kind: "action", action: action(expr), line };
		case "assert_return":
			return { kind: name, action: action(items.next()), results: items.rest(), line };
		case "assert_trap":
		case "assert_exhaustion":
		case "assert_exception": {
			const subject = items.next();
			const message = textOf(items.next());
			if (subject !== undefined && (headOf(subject) === "component" || headOf(subject) === "module")) {
				return { kind: "assert_uninstantiable", unit: unit(subject, text), message, line };
			}
			return { kind: name, action: action(subject), message, line };
		}
		case "assert_invalid":
		case "assert_invalid_custom":
		case "assert_malformed":
		case "assert_malformed_custom":
		case "assert_unlinkable": {
			const subject = items.next();
			if (subject === undefined) return { kind: "unknown", name, line };
			return { kind: name, unit: unit(subject, text), message: textOf(items.next()), line };
		}
		default:
			return { kind: "unknown", name, line };
	}
}

function action(expr: SExpr | undefined): Action {
	const line = expr?.line ?? 0;
	const items = new Items(expr ?? EMPTY);
	const instance = items.id();
	const name = textOf(items.next());
	if (headOf(expr) === "get") return { kind: "get", instance, name, line };
	return { kind: "invoke", instance, name, args: items.rest(), line };
}

const EMPTY: List = { kind: "list", items: [], start: 0, end: 0, line: 0 };

function concat(strings: readonly SExpr[]): Uint8Array {
	return Uint8Array.from(strings.flatMap((item) => (item.kind === "string" ? [...item.bytes] : [])));
}

function unit(expr: SExpr, text: string): Unit {
	const sort = headOf(expr) === "module" ? "module" : "component";
	const items = new Items(expr);
	const definition = items.keyword("definition");
	const id = items.id();
	let source: Source;
	if (items.keyword("binary")) {
		source = { kind: "binary", bytes: concat(items.rest()) };
	} else if (items.keyword("quote")) {
		const quoted = new TextDecoder().decode(concat(items.rest()));
		source = { kind: "quote", text: quoted.startsWith(`(${sort} `) ? quoted : `(${sort} ${quoted})` };
	} else {
		// `definition` belongs to the script, not to the component's text
		const body = text.slice(expr.start, expr.end);
		source = { kind: "text", text: definition ? body.replace(/^\((component|module)\s+definition/, "($1") : body };
	}
	return { sort, id, definition, source, line: expr.line };
}
