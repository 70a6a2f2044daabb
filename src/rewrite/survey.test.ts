import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeModule } from "../wasm/mod.ts";
import { liftModule } from "./lift/lift.ts";
import { surveyCode, surveyLifted } from "./survey.ts";

const SIGHTGLASS = new URL("../../../shared/suites/sightglass/", import.meta.url).pathname;
const skip = existsSync(SIGHTGLASS) ? false : `test data absent: ${SIGHTGLASS}`;

/** Functions with sites before, between and behind such that have none, with loops and calls of all kinds in both. */
const PROGRAM = `(module (type $t (func)) (type $s (struct (field i32))) (memory 1) (tag $e) (table $x 4 funcref) (table $y 4 funcref)
	(data $d "abc") (elem $el func $a) (elem declare func $c)
	(func $a (drop (memory.grow (i32.const 1))) (loop $l (br_if $l (i32.const 0))) (call $b))
	(func $b (loop $l (call $a) (br $l)))
	(func $c (memory.copy (i32.const 0) (i32.const 1) (i32.const 2)) (call_indirect (type $t) (i32.const 1)) (loop))
	(func $d (call_indirect $y (type $t) (i32.const 1)) (call_ref $t (ref.func $c)) (loop (loop)))
	(func $e (table.set $x (i32.const 0) (ref.func $a)) (throw $e))
	(func $f (block $h (try_table (catch_all $h) (call $e))))
	(func $g (drop (struct.new $s (i32.const 1))) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop $d)
		(table.init $el (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $el))
	(func $h (i32.store (i32.const 0) (i32.load (i32.const 4)))))`;

/** @returns whether there was anything to find out anew */
function compare(bytes: Uint8Array): boolean {
	const original = decodeModule(bytes);
	const survey = surveyCode(original);
	const { module } = liftModule(original, survey, 0);
	assert.deepEqual(surveyLifted(module, original, survey), surveyCode(module));
	return module.code !== original.code && survey.siteBodies.includes(0);
}

suite("the survey of a lifted module", () => {
	test("is that of its code, though it takes over what has not changed", async () => {
		assert.ok(compare(await parse(PROGRAM)));
	});

	test("of real programs", { skip }, () => {
		const files = globSync(`${SIGHTGLASS}{shootout,rust-json,sqlite3}/*.wasm`).sort();
		assert.ok(files.filter((file) => compare(new Uint8Array(readFileSync(file)))).length > 10);
	});
});
