/** Keeps Node from telling every user that `node:ffi` is experimental: it is used on purpose, and does without where it fails. */
export function silenceFfiWarning(): void {
	const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
	process.emitWarning = (warning: unknown, ...rest: unknown[]) => {
		if (typeof warning === "string" && warning.startsWith("FFI is an experimental feature")) return;
		emitWarning(warning, ...rest);
	};
}
