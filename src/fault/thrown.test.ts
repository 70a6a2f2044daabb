import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { renderError, SkerryError, Trap } from "./mod.ts";
import { isErrorOf, messageOf, stackOf } from "./thrown.ts";

const refuse = (): never => {
	throw new Error("asked");
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();

/** What hosts may throw, is it an error, and what it says. */
const THROWN: Readonly<Record<string, readonly [value: unknown, isError: boolean, message: string]>> = {
	"an error": [new RangeError("far"), true, "far"],
	text: ["plain", false, "plain"],
	nothing: [undefined, false, "undefined"],
	"a symbol": [Symbol("s"), false, "Symbol(s)"],
	"an object without a prototype": [Object.create(null), false, "an error that cannot be read"],
	"a proxy that throws": [new Proxy({}, { getPrototypeOf: refuse }), false, "[object Object]"],
	"a proxy of an error": [
		new Proxy(new Error("x"), { get: refuse, getPrototypeOf: refuse }),
		false,
		"an error that cannot be read",
	],
	"a proxy that was revoked": [revoked.proxy, false, "an error that cannot be read"],
	"an error whose message throws": [
		Object.defineProperty(new Error("x"), "message", { get: refuse }),
		true,
		"an error that cannot be read",
	],
	"an error whose message is a symbol": [Object.assign(new Error("x"), { message: Symbol("m") }), true, "Symbol(m)"],
	"an error with a proxy for a prototype": [
		Object.setPrototypeOf(new Error("x"), new Proxy(Error.prototype, { getPrototypeOf: refuse })),
		false,
		"x",
	],
};

suite("what hosts throw", () => {
	for (const [name, [value, isError, message]] of Object.entries(THROWN))
		test(`${name} can be looked at`, () => {
			assert.deepEqual([isErrorOf(value, Error), messageOf(value)], [isError, message]);
			assert.equal(value instanceof SkerryError || value instanceof Trap, false);
			assert.equal(typeof stackOf(value), "string");
			assert.ok(renderError(value).startsWith("error[cli/internal]: "));
			assert.ok(renderError(new Trap("x", { cause: value })).startsWith("error[guest/trap]: x"));
		});

	test("Skerry's own are told apart as ever", () => {
		const trap = new Trap("x");
		assert.ok(trap instanceof SkerryError);
		assert.ok(!(new SkerryError("call/bad-value", "x") instanceof Trap));
		assert.ok(!(new Error("x") instanceof SkerryError));
	});

	test("causes that go round are told once", () => {
		const one = new Error("one");
		const two = new Error("two", { cause: one });
		one.cause = two;
		assert.equal(renderError(new Trap("x", { cause: one })), "error[guest/trap]: x\n  because: one\n  because: two");
	});
});
