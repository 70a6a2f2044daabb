import { SkerryError } from "../fault/mod.ts";

interface Span {
	/** UTF-16 offsets into the script. */
	readonly start: number;
	readonly end: number;
	/** 1-based line of the start. */
	readonly line: number;
}

export type SExpr =
	| (Span & { readonly kind: "list"; readonly items: readonly SExpr[] })
	| (Span & { readonly kind: "atom"; readonly text: string })
	/** A string literal; its bytes need not be UTF-8. */
	| (Span & { readonly kind: "string"; readonly bytes: Uint8Array });

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13, '"': 34, "'": 39, "\\": 92 };

/** Lists within each other: the test suites' scripts have 43, and the stack has room for several times as many. */
const MAX_DEPTH = 1000;

/** `\u{1F600}`, `\u{1_f600}`; `\0a` */
const UNICODE_ESCAPE = /\\u\{([\da-fA-F]+(?:_[\da-fA-F]+)*)\}/y;
const BYTE_ESCAPE = /\\[\da-fA-F]{2}/y;

const encoder = new TextEncoder();
/** A name may begin with U+FEFF. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of a string literal (or atom) as UTF-8. */
export function textOf(expr: SExpr | undefined): string {
	if (expr?.kind === "string") return decoder.decode(expr.bytes);
	return expr?.kind === "atom" ? expr.text : "";
}

/** The atom that a list begins with, such as `assert_return`; empty for anything else. */
export function headOf(expr: SExpr | undefined): string {
	const first = expr?.kind === "list" ? expr.items[0] : undefined;
	return first?.kind === "atom" ? first.text : "";
}

/**
 * All top-level expressions of a script. Line comments, nested block comments and annotations are left out.
 * @throws SkerryError `wast/malformed`
 */
export function parseSExprs(text: string): readonly SExpr[] {
	let at = 0;
	let line = 1;
	let depth = 0;

	const fail = (message: string): SkerryError =>
		new SkerryError("wast/malformed", `Cannot read the script: ${message}`, { place: { line } });

	function blockComment(): void {
		let depth = 0;
		do {
			if (at >= text.length) throw fail("unfinished comment");
			if (text.startsWith("(;", at)) {
				depth++;
				at += 2;
			} else if (text.startsWith(";)", at)) {
				depth--;
				at += 2;
			} else {
				if (text[at] === "\n") line++;
				at++;
			}
		} while (depth > 0);
	}

	function space(): void {
		for (; at < text.length;) {
			if (text.startsWith(";;", at)) {
				while (at < text.length && text[at] !== "\n") at++;
			} else if (text.startsWith("(;", at)) {
				blockComment();
			} else if (/\s/.test(text[at] ?? "")) {
				if (text[at] === "\n") line++;
				at++;
			} else {
				return;
			}
		}
	}

	function matchAt(pattern: RegExp): RegExpExecArray | null {
		pattern.lastIndex = at;
		return pattern.exec(text);
	}

	function string(): Uint8Array {
		const bytes: number[] = [];
		for (at++; text[at] !== '"';) {
			const char = text[at];
			if (char === undefined || char === "\n") throw fail("unfinished string");
			if (char !== "\\") {
				const whole = String.fromCodePoint(text.codePointAt(at) ?? 0);
				bytes.push(...encoder.encode(whole));
				at += whole.length;
				continue;
			}
			const next = text[at + 1] ?? "";
			const simple = SIMPLE_ESCAPES[next];
			if (simple !== undefined) {
				bytes.push(simple);
				at += 2;
			} else if (next === "u") {
				const [whole, digits = ""] = matchAt(UNICODE_ESCAPE) ?? [];
				const point = Number.parseInt(digits.replaceAll("_", ""), 16);
				if (whole === undefined || point > 0x10_ffff) throw fail("no character has this escape");
				bytes.push(...encoder.encode(String.fromCodePoint(point)));
				at += whole.length;
			} else {
				const [whole] = matchAt(BYTE_ESCAPE) ?? [];
				if (whole === undefined) throw fail("unknown escape");
				bytes.push(Number.parseInt(whole.slice(1), 16));
				at += whole.length;
			}
		}
		at++;
		return Uint8Array.from(bytes);
	}

	function expression(): SExpr {
		const start = at;
		const startLine = line;
		if (text[at] === "(") {
			at++;
			if (++depth > MAX_DEPTH) throw fail(`more than ${MAX_DEPTH} lists within each other`);
			const items: SExpr[] = [];
			for (space(); text[at] !== ")"; space()) {
				if (at >= text.length) throw fail("unfinished list");
				const item = expression();
				if (!isAnnotation(item)) items.push(item);
			}
			at++;
			depth--;
			return { kind: "list", items, start, end: at, line: startLine };
		}
		if (text[at] === '"') return { kind: "string", bytes: string(), start, end: at, line: startLine };
		// A lone semicolon is a token of its own within annotations
		while (at < text.length && !/[\s()"]/.test(text[at] ?? "") && !text.startsWith(";;", at)) at++;
		if (at === start) throw fail(`unexpected ${text[at]}`);
		return { kind: "atom", text: text.slice(start, at), start, end: at, line: startLine };
	}

	const all: SExpr[] = [];
	for (space(); at < text.length; space()) all.push(expression());
	return all.filter((expr) => !isAnnotation(expr));
}

/** `(@name …)`. The text of what holds it keeps it. */
function isAnnotation(expr: SExpr): boolean {
	return headOf(expr).startsWith("@");
}
