/** What every object has without being given it: `constructor`, `toString` and the like, which labels of components can be, too. */
const INHERITED: Readonly<Record<string, unknown>> = Object.prototype as never;

/** A part of a record or of flags; `undefined` where it is left out, whatever its name. */
export function partOf(value: Readonly<Record<string, unknown>>, key: string): unknown {
	const part = value[key];
	return key in INHERITED && part === INHERITED[key] ? undefined : part;
}

/** The same in generated code. @param value an expression */
export function partExpression(value: string, key: string): string {
	const name = JSON.stringify(key);
	return key in INHERITED ? `partOf(${value}, ${name})` : `${value}[${name}]`;
}
