/** Run by `no-watchdog.test.ts` in a process that may open few files: what becomes of guests when there are no more. */
import { closeSync, openSync } from "node:fs";
import { createConnection } from "node:net";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "../../src/embed/mod.ts";
import { SkerryError } from "../../src/fault/mod.ts";
import { ENDLESS } from "./endless-shapes.ts";

const endless = await parse(ENDLESS["a loop"] ?? "");
// What Node loads, and opens, when it is first used
createConnection({ port: 1, host: "127.0.0.1" }).on("error", () => {});
const engine = new Engine({ limits: { cpu: 20 }, cache: false });
await engine.load(endless, { limits: { cpu: Infinity, wall: Infinity }, metering: "off" });

const said: string[] = [];
const open: number[] = [];
try {
	for (;;) open.push(openSync("/dev/null", "r"));
} catch (error) {
	said.push((error as NodeJS.ErrnoException).code ?? "");
}
for (let i = 0; i < 2; i++) said.push(await load());
for (const fd of open) closeSync(fd);
said.push(await load());
console.log(JSON.stringify(said));

async function load(): Promise<string> {
	try {
		const component = await engine.load(endless);
		return await component.call(["f"], []).then(
			() => "returned",
			(error: unknown) => String(error),
		);
	} catch (error) {
		return error instanceof SkerryError ? `${error.code}: ${error.message}` : String(error);
	}
}
