import type { KeyPath } from "./key-lines.ts";
import { didYouMean, type Problems } from "./problems.ts";
import type { TableSchema } from "./schema.ts";

type Table = Readonly<Record<string, unknown>>;

/** One table of the manifest, read against its schema: what does not fit becomes a problem and reads as absent. */
export class TableReader {
	readonly #table: Table;
	readonly #problems: Problems;
	readonly path: KeyPath;

	/** Reports unknown keys, keys that are not supported yet, and required keys that are absent. */
	constructor(table: Table, schema: TableSchema, path: KeyPath, problems: Problems) {
		this.#table = table;
		this.#problems = problems;
		this.path = path;
		for (const key of Object.keys(table)) {
			const row = Object.hasOwn(schema, key) ? schema[key] : undefined;
			if (row?.kind === "later") {
				problems.add([...path, key], `\`${key}\` is a key of Spin's manifest that is not supported yet`);
			} else if (row === undefined) {
				const known = Object.keys(schema).filter((name) => schema[name]?.kind !== "later");
				problems.add(
					[...path, key],
					`unknown key \`${key}\``,
					didYouMean(key, known) ?? `the keys here are ${known.join(", ")}`,
				);
			}
		}
		for (const [key, row] of Object.entries(schema)) {
			if (row.required === true && !Object.hasOwn(table, key)) {
				problems.addMissing(path, key);
			}
		}
	}

	/** A text that is not empty. */
	string(key: string): string | undefined {
		const value = this.#get(key);
		if (value === undefined) return undefined;
		if (typeof value === "string" && value !== "") return value;
		return this.#wrong(key, "a text that is not empty", value);
	}

	strings(key: string): readonly string[] {
		const value = this.#get(key);
		if (value === undefined) return [];
		if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
		this.#wrong(key, "a list of texts", value);
		return [];
	}

	/** Whatever is there. */
	value(key: string): unknown {
		return this.#get(key);
	}

	table(key: string): Table | undefined {
		const value = this.#get(key);
		if (value === undefined || isTable(value)) return value;
		return this.#wrong(key, "a table", value);
	}

	/** An array of tables, `[[key]]`. */
	tables(key: string): readonly Table[] {
		const value = this.#get(key);
		if (value === undefined) return [];
		if (Array.isArray(value) && value.every(isTable)) return value;
		this.#wrong(key, `an array of tables, [[${[...this.path, key].join(".")}]]`, value);
		return [];
	}

	#get(key: string): unknown {
		return Object.hasOwn(this.#table, key) ? this.#table[key] : undefined;
	}

	#wrong(key: string, due: string, value: unknown): undefined {
		this.#problems.add([...this.path, key], `\`${key}\` must be ${due}, not ${describe(value)}`);
	}
}

function isTable(value: unknown): value is Table {
	return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** A TOML value in a message: short scalars as written, anything else by its type. */
export function describe(value: unknown): string {
	if (Array.isArray(value)) return "an array";
	if (value instanceof Date) return "a date";
	if (isTable(value)) return "a table";
	const text = typeof value === "string" ? JSON.stringify(value) : String(value);
	return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
