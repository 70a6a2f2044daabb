import { Writer } from "../../bytes/mod.ts";
import { threadSchedule } from "./schedule.ts";
import { webAssembly, type WasmExtern } from "../v8/v8.ts";

let functions: Readonly<Record<"poll" | "pause", WasmExtern>> | undefined;

/** `poll` and `pause` of the rewriter's host table: functions of this thread's, for all guests on it. */
export function scheduleFunctions(): Readonly<Record<"poll" | "pause", WasmExtern>> {
	if (functions !== undefined) return functions;
	const { Instance, Module, Suspending } = webAssembly();
	const schedule = threadSchedule();
	const { exports } = new Instance(new Module(encodeFunctions()), {
		"": {
			poll: () => schedule.poll(),
			pause: new Suspending(() => schedule.pause()),
			resumed: (ticket: number) => schedule.resumed(ticket),
		},
	});
	return (functions = { poll: exports["poll"], pause: exports["pause"] });
}

/**
 * Tables take nothing but functions of WebAssembly, and JavaScript does not learn when a guest runs again:
 *   (func (export "poll") (result i32) (call $poll))
 *   (func (export "pause") (result i32) (call $resumed (call $pause)))
 */
function encodeFunctions(): Uint8Array {
	const [ask, tell] = [0, 1];
	const [poll, pause, resumed, ownPoll, ownPause] = [0, 1, 2, 3, 4];
	const call = (to: Writer, fn: number): Writer => to.u8(0x10).u32(fn);
	const body = (...calls: number[]): Uint8Array => {
		const code = new Writer().u32(0);
		for (const fn of calls) call(code, fn);
		return code.u8(0x0b).finish();
	};
	const types = new Writer().u32(2);
	types.u8(0x60).u32(0).u32(1).u8(0x7f);
	types.u8(0x60).u32(1).u8(0x7f).u32(1).u8(0x7f);
	const imports = new Writer().u32(3);
	imports.name("").name("poll").u8(0x00).u32(ask);
	imports.name("").name("pause").u8(0x00).u32(ask);
	imports.name("").name("resumed").u8(0x00).u32(tell);
	return new Writer()
		.raw(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00))
		.section(1, types)
		.section(2, imports)
		.section(3, new Writer().u32(2).u32(ask).u32(ask))
		.section(7, new Writer().u32(2).name("poll").u8(0x00).u32(ownPoll).name("pause").u8(0x00).u32(ownPause))
		.section(10, new Writer().u32(2).sized(body(poll)).sized(body(pause, resumed)))
		.finish();
}
