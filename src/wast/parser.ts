import { SkerryError } from "../fault/mod.ts";

/** WebAssembly text to bytes. It parses and does not validate. Rejects for what is no text of a module or component. */
export type TextParser = (text: string) => Promise<Uint8Array>;

const PACKAGE = "@bytecodealliance/jco-transpile";

let loading: Promise<TextParser> | undefined;

/**
 * The parser of wasm-tools, which only scripts need: an optional package, loaded when first asked for.
 * @throws SkerryError `build/tool-missing`
 */
export function loadTextParser(): Promise<TextParser> {
	loading ??= import("@bytecodealliance/jco-transpile/wasm-tools").then(
		({ parse }) => parse,
		(error: unknown) => {
			loading = undefined;
			throw new SkerryError("build/tool-missing", `Cannot read WebAssembly text: ${PACKAGE} is not installed`, {
				hint: `npm i -D ${PACKAGE}@^0.15.0`,
				cause: error,
			});
		},
	);
	return loading;
}
