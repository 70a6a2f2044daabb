import { nearest, type Place, renderPlace, SkerryError } from "../fault/mod.ts";
import { findKeyLines, type KeyPath, printPath } from "./key-lines.ts";

/** One thing that is wrong with a manifest. */
interface Problem {
	readonly path: KeyPath;
	readonly message: string;
	readonly hint: string | undefined;
}

/** Collects what is wrong with one manifest, so that all of it is reported together. */
export class Problems {
	readonly #found: Problem[] = [];
	#incomplete = false;

	/** Adds a problem with the value at `path`. */
	add(path: KeyPath, message: string, hint?: string): void {
		this.#found.push({ path, message, hint });
	}

	/** Adds that a key of the table at `path` is missing. */
	addMissing(path: KeyPath, key: string): void {
		// In tables of one component or trigger, the message says enough.
		this.#incomplete ||= path.length < 2;
		this.add(path, `\`${key}\` is missing`);
	}

	/**
	 * Throws when anything was added: one `app/manifest` whose place is that of the first problem and whose message lists them all.
	 * @param file the manifest's path
	 * @param text its content, from which the lines are found
	 * @param smallest the hint where what every manifest has is missing
	 */
	raise(file: string, text: string, smallest: string): void {
		if (this.#found.length === 0) return;
		const lines = findKeyLines(text);
		const placed = this.#found
			.map(({ path, message, hint }) => ({ message, hint, place: placeOf(path, lines) }))
			.sort((a, b) => (a.place.line ?? 0) - (b.place.line ?? 0));
		const [first] = placed;
		const place: Place = { file, ...first?.place };
		if (placed.length === 1 && first !== undefined) {
			const hint = first.hint ?? (this.#incomplete ? smallest : undefined);
			const options = hint === undefined ? { place } : { place, hint };
			throw new SkerryError("app/manifest", `Cannot read the manifest: ${first.message}`, options);
		}
		const list = placed.map(({ message, place, hint }) => {
			const where = place.line === undefined ? [] : [`line ${place.line}`];
			if (place.key !== undefined) where.push(renderPlace({ key: place.key }));
			const before = where.length === 0 ? "" : `${where.join(", ")}: `;
			return `\n  ${before}${message}${hint === undefined ? "" : ` (${hint})`}`;
		});
		throw new SkerryError("app/manifest", `Cannot read the manifest: ${placed.length} problems${list.join("")}`, {
			place,
			...(this.#incomplete ? { hint: smallest } : {}),
		});
	}
}

/** The key, and its line or that of the nearest table around it. */
function placeOf(path: KeyPath, lines: ReadonlyMap<string, number>): { key?: string; line?: number } {
	if (path.length === 0) return {};
	const key = printPath(path);
	for (let length = path.length; length > 0; length--) {
		const line = lines.get(printPath(path.slice(0, length)));
		if (line !== undefined) return { key, line };
	}
	return { key };
}

/** "did you mean `x`?", when one of the candidates is close to `name`. */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
	const meant = nearest(name, candidates);
	return meant === undefined ? undefined : `did you mean \`${meant}\`?`;
}
