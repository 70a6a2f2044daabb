/** A guest that gives the thread away after each few instructions is never found holding it for long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { LimitExceeded, METERING_MODES } from "../fault/mod.ts";
import { Engine } from "./mod.ts";

/** Its callback says YIELD each time that it is called, and its call never returns. */
const GUEST = `(component
	(core module $m
		(func (export "f") (result i32) (i32.const 1))
		(func (export "on") (param i32 i32 i32) (result i32) (i32.const 1)))
	(core instance $i (instantiate $m))
	(func (export "f") async (canon lift (core func $i "f") async (callback (core func $i "on")))))`;

for (const metering of METERING_MODES.filter((mode) => mode !== "off"))
	test(`metering ${metering}: its limit "cpu" ends it`, { timeout: 60_000 }, async () => {
		const bytes = new Uint8Array(await parse(GUEST));
		const limits = { cpu: 20, wall: Infinity };
		const component = await new Engine({ cache: false }).load(bytes, { metering, limits, app: "x" });
		for (let round = 0; round < 3; round++)
			await assert.rejects(
				component.exports["f"](),
				(error) => error instanceof LimitExceeded && error.message === 'killed: cpu 20 ms (limit "cpu" of app x)',
			);
	});
