import { builtin, nodeV8 } from "./builtin.ts";

/** The little of `node:vm` that is needed. */
interface Vm {
	runInThisContext(code: string): unknown;
}

let known: boolean | undefined;

/**
 * Whether an access of a guest to a page that is protected is a trap. Where V8's trap handler is off (`--disable-wasm-trap-handler`, and by
 * itself where address space is limited), guests check the bounds that V8 knows instead, and such an access ends the process. Where it
 * cannot be told, there is none.
 */
export function catchesFaults(): boolean {
	return (known ??= ask());
}

function ask(): boolean {
	const v8 = nodeV8();
	const vm = builtin("node:vm") as Vm | undefined;
	if (v8 === undefined || vm === undefined) return false;
	v8.setFlagsFromString("--allow-natives-syntax");
	try {
		return vm.runInThisContext("%IsWasmTrapHandlerEnabled()") === true;
	} catch {
		return false;
	} finally {
		v8.setFlagsFromString("--no-allow-natives-syntax");
	}
}
