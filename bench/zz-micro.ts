import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, watchdogReady } from "/work/wt-calls3/src/engine/mod.ts";
import { instantiate, linkComponent, loadComponent } from "/work/wt-calls3/src/link/mod.ts";
import { EXPORTS_CORE_WAT, EXPORTS_WAT, handWritten, INTERFACE } from "/work/wt-calls3/bench/calls-guest.ts";
const only = process.argv[2] ?? "add";
const rounds = Number(process.argv[3] ?? 60);
const linked = await linkComponent(
	loadComponent(new Uint8Array(await parse(EXPORTS_WAT))),
	{ interfaces: [], functions: {}, resources: {} },
	new CompileCache(),
);
const instance = instantiate(linked, undefined);
const core = (await WebAssembly.instantiate(new Uint8Array(await parse(EXPORTS_CORE_WAT)))).instance.exports;
const hand = handWritten(core);
const names = {
	add: ["add", [3, 4]],
	bytes: ["take-bytes", [new Uint8Array(1024).fill(97)]],
	string: ["take-string", ["a".repeat(1024)]],
	string16: ["take-string", ["a".repeat(16)]],
	giveb: ["give-bytes", [1024]],
	gives: ["give-string", [1 << 20]],
	gives16: ["give-string", [16]],
	pairs: ["take-pairs", [Array.from({ length: 1000 }, (_, i) => ({ x: i, y: i * 3 }))]],
	describe: ["describe", [{ id: 7, size: 5n, ratio: 0.5, open: true, name: "content-type-xyz" }]],
};
const camel = (s) => s.replace(/-(.)/g, (_, c) => c.toUpperCase());
let slow = 0;
const g0 = (await import("/work/wt-calls3/src/engine/schedule.ts")).threadSchedule();
const orig = Object.getPrototypeOf(g0).lease;
if (process.env.COUNT)
	Object.getPrototypeOf(g0).lease = function (a) {
		slow++;
		return orig.call(this, a);
	};
function loop(fn, args) {
	return new Function(
		"fn",
		"args",
		`return (count)=>{let last; for (let i=0;i<count;i++) last = fn(${args.map((_, i) => `args[${i}]`).join(", ")}); return last;} //${Math.random()}`,
	)(fn, args);
}
void watchdogReady();
await new Promise((r) => setTimeout(r, 150));
for (const key of only.split(",")) {
	const [name, args] = names[key];
	const a = loop(instance.function([INTERFACE, name]).invoke, args),
		b = loop(hand[camel(name)], args);
	let n = 1;
	for (;;) {
		let best = 1e9;
		for (let i = 0; i < 5; i++) {
			const t = performance.now();
			a(n);
			best = Math.min(best, performance.now() - t);
		}
		if (best > 3) break;
		n *= 2;
	}
	for (let i = 0; i < 30; i++) {
		a(n);
		b(n);
	}
	const ra = [],
		rb = [];
	for (let i = 0; i < rounds; i++) {
		let t = performance.now();
		a(n);
		ra.push(performance.now() - t);
		t = performance.now();
		b(n);
		rb.push(performance.now() - t);
	}
	ra.sort((x, y) => x - y);
	rb.sort((x, y) => x - y);
	const q = (r, p) => (r[Math.floor(r.length * p)] * 1e6) / n;
	if (process.env.COUNT) console.log("slow", slow, "n", n);
	console.log(
		key,
		"skerry min/med",
		q(ra, 0).toFixed(2),
		q(ra, 0.5).toFixed(2),
		"hand",
		q(rb, 0).toFixed(2),
		q(rb, 0.5).toFixed(2),
		"ratio min",
		(q(ra, 0) / q(rb, 0)).toFixed(2),
		"med",
		(q(ra, 0.5) / q(rb, 0.5)).toFixed(2),
	);
}
process.exit(0);
