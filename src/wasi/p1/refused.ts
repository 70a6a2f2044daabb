import type { CoreHostFunction } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { Errno } from "./errno.ts";
import { p1Function } from "./state.ts";

/** A function that is there, so that programs which only mention it run, and that always fails. */
function refused(name: string, params: string): CoreHostFunction<WasiContext> {
	return p1Function(params, ({ context }) => {
		context.denied(`${name} of WASI 0.1`, "it is not supported: no flag grants it");
		throw new Errno("nosys");
	});
}

export const REFUSED: Readonly<Record<string, CoreHostFunction<WasiContext>>> = {
	proc_raise: refused("proc_raise", "i32"),
	sock_accept: refused("sock_accept", "i32 i32 i32"),
	sock_recv: refused("sock_recv", "i32 i32 i32 i32 i32 i32"),
	sock_send: refused("sock_send", "i32 i32 i32 i32 i32"),
	sock_shutdown: refused("sock_shutdown", "i32 i32"),
};
