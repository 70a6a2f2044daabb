import assert from "node:assert/strict";
import { CompileCache, type CompileCounts } from "../engine/mod.ts";
import { Trap } from "../fault/mod.ts";
import { call } from "./guest.fixture.ts";
import { instantiate } from "./instance/instantiate.ts";
import { linkComponent, type LinkOptions, openComponent } from "./link.ts";

/** Runs the component of `packed.test.ts`, from whatever file: what became of its modules, and how its trap is told. */
export async function run(
	file: Uint8Array,
	version: string,
	options: LinkOptions = {},
): Promise<{ counts: CompileCounts; fail: Trap }> {
	const cache = new CompileCache({ version });
	const loaded = await openComponent(file, cache, options);
	const instance = instantiate(await linkComponent(loaded, { interfaces: [] }, cache, options), undefined);
	assert.equal(await call(instance, "next"), 42);
	try {
		await call(instance, "fail");
	} catch (error) {
		assert.ok(error instanceof Trap);
		return { counts: cache.counts, fail: error };
	}
	return assert.fail("it returned");
}
