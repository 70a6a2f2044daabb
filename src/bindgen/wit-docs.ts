/**
 * The doc comments of WIT text, which no binary holds. A reader of its own: it knows no more of the grammar than it takes to tell which
 * item a comment stands before, and what it does not understand it passes over. Whether the text is right, wasm-tools says.
 */

/** Where a package's header stands, and what the comments say. */
export interface WitOutline {
	/** `namespace:name@version` of the file's own package, where it says so. */
	readonly package: string | undefined;
	/** Offsets of the header, from `package` to its semicolon. */
	readonly header: { readonly start: number; readonly end: number } | undefined;
}

/**
 * By the item's place: `ns:pkg/interface@1.0.0` an interface, `ns:pkg/interface@1.0.0#item` what is in it, `…#item.member` what is in that;
 * of worlds the same with the world's name in the place of the interface's.
 */
export type WitDocs = Map<string, string>;

const TYPE_KEYWORDS: ReadonlySet<string> = new Set(["record", "variant", "flags", "enum", "resource", "type"]);

type Token =
	| { readonly kind: "doc"; readonly text: string; readonly start: number; readonly end: number }
	| { readonly kind: "word" | "mark"; readonly text: string; readonly start: number; readonly end: number };

const TOKEN = /\/\/\/([^\n]*)|\/\*\*([^]*?)\*\/|\/\/[^\n]*|\/\*[^]*?\*\/|(@?%?[\w][\w-]*)|(->|\S)/g;

function* tokenize(text: string): Generator<Token> {
	for (const match of text.matchAll(TOKEN)) {
		const [all, line, block, word, mark] = match;
		const at = { start: match.index, end: match.index + all.length };
		if (line !== undefined) yield { kind: "doc", text: line.replace(/^ /, "").trimEnd(), ...at };
		else if (block !== undefined) yield { kind: "doc", text: blockText(block), ...at };
		else if (word !== undefined) yield { kind: "word", text: word.replace(/^%/, ""), ...at };
		else if (mark !== undefined) yield { kind: "mark", text: mark, ...at };
	}
}

function blockText(block: string): string {
	const lines = block.split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trimEnd());
	return lines.join("\n").trim();
}

/** Reads one file; adds its comments to `docs`. Comments of a file that does not say its package belong to `assumed`. */
export function readWitDocs(text: string, docs: WitDocs, assumed?: string): WitOutline {
	return new Reader(text, docs, assumed).read();
}

class Reader {
	readonly #text: string;
	readonly #tokens: readonly Token[];
	readonly #docs: WitDocs;
	#package: string | undefined;
	#at = 0;
	#doc: string[] = [];

	constructor(text: string, docs: WitDocs, assumed: string | undefined) {
		this.#text = text;
		this.#tokens = [...tokenize(text)];
		this.#docs = docs;
		this.#package = assumed;
	}

	read(): WitOutline {
		let own: string | undefined;
		let header: WitOutline["header"];
		while (this.#at < this.#tokens.length) {
			const token = this.#next();
			if (token?.text === "package") {
				const { name, end, open } = this.#header(token.end);
				if (open) {
					const outer = this.#package;
					this.#package = name;
					this.#definitions();
					this.#package = outer;
				} else {
					own = this.#package = name;
					header = { start: token.start, end };
				}
				this.#doc = [];
			} else if (token !== undefined) this.#definition(token.text);
		}
		return { package: own, header };
	}

	/** The next token that is no comment and no attribute; comments are kept. */
	#next(): Token | undefined {
		for (;;) {
			const token = this.#tokens[this.#at++];
			if (token === undefined) return undefined;
			if (token.kind === "doc") this.#doc.push(token.text);
			else if (token.text.startsWith("@") && token.kind === "word") this.#skipParentheses();
			else return token;
		}
	}

	#peek(): string | undefined {
		return this.#tokens[this.#at]?.text;
	}

	#skipParentheses(): void {
		if (this.#peek() !== "(") return;
		while (this.#at < this.#tokens.length) if (this.#tokens[this.#at++]?.text === ")") return;
	}

	/** Versions are no tokens: the header is read as text. */
	#header(from: number): { readonly name: string; readonly end: number; readonly open: boolean } {
		const found = /^([^;{]*)([;{]?)/.exec(this.#text.slice(from));
		const end = from + (found?.[0].length ?? 0);
		while (this.#at < this.#tokens.length && (this.#tokens[this.#at]?.start ?? 0) < end) this.#at++;
		return { name: (found?.[1] ?? "").replace(/\s+/g, ""), end, open: found?.[2] === "{" };
	}

	#definitions(): void {
		for (let token = this.#next(); token !== undefined && token.text !== "}"; token = this.#next()) {
			this.#definition(token.text);
		}
	}

	#definition(keyword: string): void {
		if (keyword !== "interface" && keyword !== "world") return this.#skip();
		const name = this.#next()?.text ?? "";
		const place = this.#place(name);
		this.#take(place);
		if (this.#peek() === "{") {
			this.#at++;
			this.#items(place);
		}
	}

	#place(name: string): string {
		const [path = "", version] = (this.#package ?? "").split("@");
		return `${path}/${name}${version === undefined ? "" : `@${version}`}`;
	}

	/** Gives the comments so far to an item. */
	#take(place: string): void {
		const text = this.#doc.join("\n").trim();
		this.#doc = [];
		if (text !== "") this.#docs.set(place, text);
	}

	/** Of an interface or a world, up to its closing brace. */
	#items(place: string): void {
		for (let token = this.#next(); token !== undefined && token.text !== "}"; token = this.#next()) {
			switch (token.text) {
				case "use":
				case "include":
					this.#skip();
					break;
				case "import":
				case "export":
					this.#worldItem(place);
					break;
				default:
					// A function may have the name of a keyword
					if (TYPE_KEYWORDS.has(token.text) && this.#peek() !== ":") {
						this.#members(`${place}#${this.#next()?.text ?? ""}`);
					} else {
						this.#take(`${place}#${token.text}`);
						this.#skip();
					}
			}
		}
	}

	#worldItem(place: string): void {
		const name = this.#next()?.text ?? "";
		if (this.#peek() !== ":" || !/^\s*:\s*(?:interface|async|func)\b/.test(this.#rest())) return this.#skip();
		this.#at++;
		if (this.#peek() !== "interface") {
			this.#take(`${place}#${name}`);
			return this.#skip();
		}
		this.#at += 2;
		this.#take(name);
		this.#items(name);
	}

	#rest(): string {
		const from = this.#tokens[this.#at]?.start ?? this.#text.length;
		return this.#text.slice(from, from + 100);
	}

	/** What follows the name of a type: its fields, cases or functions. */
	#members(place: string): void {
		this.#take(place);
		if (this.#peek() !== "{") return this.#skip();
		this.#at++;
		for (let token = this.#next(); token !== undefined && token.text !== "}"; token = this.#next()) {
			if (token.text === "," || token.text === ";") continue;
			this.#take(`${place}.${token.text}`);
			this.#skipMember();
		}
	}

	/** Up to the comma or semicolon that ends a member, or to the brace that ends them all. */
	#skipMember(): void {
		let depth = 0;
		for (; this.#at < this.#tokens.length; this.#at++) {
			const text = this.#peek();
			if (text === "(" || text === "<") depth++;
			else if (text === ")" || text === ">") depth--;
			else if (depth <= 0 && (text === "," || text === ";" || text === "}")) return;
		}
	}

	/** Up to the semicolon, or past the braces, that end an item. */
	#skip(): void {
		this.#doc = [];
		let depth = 0;
		while (this.#at < this.#tokens.length) {
			const text = this.#tokens[this.#at++]?.text;
			if (text === "{") depth++;
			else if (text === "}" && --depth <= 0) {
				if (this.#peek() === ";") this.#at++;
				return;
			} else if (text === ";" && depth === 0) return;
		}
	}
}
