import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectingSink, createPipe } from "../sys/mod.ts";
import { createWasiContext } from "./context.ts";

test("grants nothing by itself", () => {
	const context = createWasiContext();
	assert.deepEqual(
		[context.args, context.env, context.initialCwd, context.terminal, context.stdin.read(1)],
		[[], {}, undefined, {}, null],
	);
	assert.notDeepEqual(context.insecureSeed, createWasiContext().insecureSeed);
	context.end();
});

test("its end runs what was registered, once, and closes the standard streams", () => {
	const stdout = new CollectingSink();
	const stdin = createPipe();
	const context = createWasiContext({ stdin: stdin.source, stdout });
	const ran: string[] = [];
	context.onEnd(() => ran.push("first"));
	const forget = context.onEnd(() => ran.push("forgotten"));
	context.onEnd(() => ran.push("last"));
	forget();
	assert.equal(context.ended, false);
	context.end();
	context.end();
	assert.deepEqual([ran, context.ended, stdout.closed, stdin.sink.capacity()], [["first", "last"], true, true, null]);
	context.onEnd(() => ran.push("late"));
	assert.deepEqual(ran, ["first", "last", "late"]);
});

test("an ending that throws does not keep the others from running", () => {
	const stdout = new CollectingSink();
	const context = createWasiContext({ stdout });
	let ran = false;
	context.onEnd(() => {
		throw new Error("stuck");
	});
	context.onEnd(() => (ran = true));
	assert.throws(
		() => context.end(),
		(error) => error instanceof AggregateError && (error.errors as Error[])[0]?.message === "stuck",
	);
	assert.deepEqual([ran, stdout.closed], [true, true]);
});

test("says once per thing what was denied", () => {
	const said: string[][] = [];
	const context = createWasiContext({ onDenied: (what, hint) => said.push([what, hint]) });
	context.denied("a", "grant a");
	context.denied("b", "grant b");
	context.denied("a", "grant a");
	assert.deepEqual(said, [
		["a", "grant a"],
		["b", "grant b"],
	]);
	createWasiContext().denied("a", "nobody listens");
});

test("a stream that is made on demand is made once, when it is asked for, and is closed", () => {
	const made: Record<"stdout" | "stderr", CollectingSink[]> = { stdout: [], stderr: [] };
	const make = (name: keyof typeof made) => (): CollectingSink => {
		const sink = new CollectingSink();
		made[name].push(sink);
		return sink;
	};
	const context = createWasiContext({ stdout: make("stdout"), stderr: make("stderr") });
	assert.deepEqual(made, { stdout: [], stderr: [] });
	const { stdout } = context;
	assert.equal(context.stdout, stdout);
	assert.deepEqual([made.stdout, made.stderr], [[stdout], []]);
	context.end();
	assert.deepEqual(
		[made.stdout.map(({ closed }) => closed), made.stderr],
		[[true], []],
		"what nobody asked for is not made to be closed",
	);
});
