/**
 * The program of `processor-time.test.ts`, which pins it to one processor: guests beside busy loops that want the same one. Prints what
 * became of each as JSON.
 */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { CoreFunction } from "../../abi/mod.ts";
import { LimitExceeded } from "../../fault/mod.ts";
import { ATTENTIVE_WORD, CALL_WORD, interruptFlag, watchdogReady } from "./flag.ts";
import { Gate } from "../border/gate.ts";
import { guest } from "../guest.fixture.ts";
import { meteredGuest } from "../border/metered.fixture.ts";
import { openProcessorTime } from "./processor-time.ts";

export interface Outcome {
	readonly title: string;
	/** The limit that ended it, if one did. */
	readonly limit: string | undefined;
	/** Milliseconds that it took, that the thread had the processor, and that were charged. */
	readonly took: number;
	readonly ran: number;
	readonly charged: number;
}

/** Milliseconds. */
export const CPU = 100;
export const ENOUGH = 60;
export const WALL = 150;
const LOOPS = 3;

/** `work` asks after some 10,000 turns each whether it is to go on. */
const GUEST = `(func $turns (export "turns") (param i32) (result i32)
		(loop $l (call $check) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7))
	(func (export "work") (loop $l (drop (call $turns (i32.const 10000))) (br_if $l (call $more))))`;

if (import.meta.main) {
	const alive = setInterval(() => {}, 1_000);
	await watchdogReady();
	const loops = Array.from({ length: LOOPS }, () => spawn("sh", ["-c", "while :; do :; done"], { stdio: "ignore" }));
	try {
		console.log(JSON.stringify(await outcomes()));
	} finally {
		for (const loop of loops) loop.kill("SIGKILL");
		clearInterval(alive);
	}
}

async function outcomes(): Promise<Outcome[]> {
	const time = openProcessorTime();
	if (time === undefined) throw new Error("this system does not tell");
	const all: Outcome[] = [];
	for (const metering of ["trap", "yield", "fuel"] as const) {
		let end = 0;
		const start = async (wall: number): Promise<{ gate: Gate; turns: CoreFunction; work: CoreFunction }> => {
			const gate = new Gate({ limits: { cpu: CPU, wall }, metering });
			const more = (): number => (time.now() < end ? 1 : 0);
			const host = await guest(
				gate,
				`(module (import "host" "more" (func $f (result i32))) (export "more" (func $f)))`,
				{ more: ["-> i32", more] },
			);
			const { exports } = await meteredGuest(
				gate,
				metering,
				GUEST,
				{ host: { ...host.exports } },
				`(import "host" "more" (func $more (result i32)))`,
			);
			return {
				gate,
				turns: gate.wrapExport(exports["turns"], false, { params: ["i32"], results: ["i32"] }),
				work: gate.wrapExport(exports["work"], true),
			};
		};
		const observe = async (title: string, gate: Gate, act: () => unknown): Promise<void> => {
			gate.begin();
			const [from, before] = [performance.now(), time.now()];
			let limit: string | undefined;
			try {
				await act();
			} catch (error) {
				if (!(error instanceof LimitExceeded)) throw error;
				({ limit } = error);
			}
			const [took, ran] = [performance.now() - from, time.now() - before];
			all.push({ title: `${metering}: ${title}`, limit, took, ran, charged: gate.usage.cpu });
			if (limit !== undefined) gate.reset();
		};
		const { gate, turns, work } = await start(20_000);
		end = time.now() + ENOUGH;
		await observe("enough", gate, work);
		end = Infinity;
		await observe("endless", gate, work);
		if (metering === "trap") {
			const short = await start(WALL);
			await observe("wall", short.gate, short.work);
			await earnTrust(() => {
				gate.begin();
				void turns(1);
			});
			await observe("unclocked", gate, () => turns(0));
		}
	}
	return all;
}

/** Short calls until they are not clocked any more. */
async function earnTrust(call: () => void): Promise<void> {
	const { words } = interruptFlag();
	for (let i = 0; i < 2_000; i++) {
		const before = words[CALL_WORD];
		call();
		if (words[CALL_WORD] !== before) return;
		if (words[ATTENTIVE_WORD] === 0 && i % 100 === 99) await sleep(1);
	}
	throw new Error("short calls are clocked still");
}
