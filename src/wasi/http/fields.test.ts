import assert from "node:assert/strict";
import { test } from "node:test";
import { SkerryError } from "../../fault/mod.ts";
import { Fields } from "./fields.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
const list = (fields: Fields): [string, string][] =>
	fields.entries().map(([name, value]) => [name, Buffer.from(value).toString("latin1")]);

test("fields keep the case, the order and the duplicates that they were given", () => {
	const fields = Fields.empty();
	assert.deepEqual(fields.append("Accept", bytes("a")), { tag: "ok", val: undefined });
	fields.append("X-One", bytes("1"));
	fields.append("aCCept", bytes("b\xff"));
	assert.deepEqual(list(fields), [
		["Accept", "a"],
		["X-One", "1"],
		["aCCept", "b\xff"],
	]);
	assert.deepEqual(fields.get("ACCEPT"), [bytes("a"), bytes("b\xff")]);
	assert.equal(fields.has("x-ONE"), true);
	assert.equal(fields.has("no such name"), false);
	assert.deepEqual(fields.get("no such name"), []);

	fields.set("accept", [bytes("c"), bytes("d")]);
	assert.deepEqual(list(fields), [
		["X-One", "1"],
		["accept", "c"],
		["accept", "d"],
	]);
	assert.deepEqual(fields.delete("ACCEPT"), { tag: "ok", val: undefined });
	assert.deepEqual(list(fields), [["X-One", "1"]]);
	assert.deepEqual(fields.toRaw(), ["X-One", "1"]);
});

test("names and values that HTTP or the host does not allow are refused and change nothing", () => {
	const cases: [string, string, string][] = [
		["", "v", "invalid-syntax"],
		["a b", "v", "invalid-syntax"],
		["a:", "v", "invalid-syntax"],
		["ä", "v", "invalid-syntax"],
		["ok", "a\nb", "invalid-syntax"],
		["ok", "a\0", "invalid-syntax"],
		["ok", "a\x7f", "invalid-syntax"],
		["Connection", "close", "forbidden"],
		["TRANSFER-encoding", "chunked", "forbidden"],
		["host", "other", "forbidden"],
		["Keep-Alive", "1", "forbidden"],
		["upgrade", "h2c", "forbidden"],
		["http2-settings", "", "forbidden"],
		["proxy-connection", "", "forbidden"],
	];
	for (const [name, value, tag] of cases) {
		const fields = Fields.empty();
		const expected = { tag: "err", val: { tag } };
		assert.deepEqual(fields.append(name, bytes(value)), expected, name);
		assert.deepEqual(fields.set(name, [bytes("fine"), bytes(value)]), expected, name);
		assert.deepEqual(
			Fields.fromList([
				["fine", bytes("fine")],
				[name, bytes(value)],
			]),
			expected,
			name,
		);
		assert.deepEqual(fields.entries(), []);
	}
	assert.deepEqual(Fields.empty().delete("a b"), { tag: "err", val: { tag: "invalid-syntax" } });
	assert.deepEqual(Fields.empty().append("tab-and-latin", bytes(" \t\x80\xff ")), { tag: "ok", val: undefined });
});

test("received fields are immutable and without those of the connection", () => {
	const raw = ["Host", "h", "Connection", "close, X-Hop", "x-hop", "1", "X-Kept", "2", "Transfer-Encoding", "chunked"];
	const fields = Fields.received(raw);
	assert.deepEqual(list(fields), [["X-Kept", "2"]]);
	const refused = { tag: "err", val: { tag: "immutable" } };
	assert.deepEqual(fields.append("a", bytes("b")), refused);
	assert.deepEqual(fields.set("a", [bytes("b")]), refused);
	assert.deepEqual(fields.delete("x-kept"), refused);
	assert.deepEqual(list(fields), [["X-Kept", "2"]]);

	const copy = fields.clone();
	assert.deepEqual(copy.append("a", bytes("b")), { tag: "ok", val: undefined });
	assert.equal(fields.has("a"), false);
	assert.deepEqual(copy.asImmutable().append("c", bytes("d")), refused);
});

test("a guest that exceeds the size of its fields is ended, by the limit's name", () => {
	const isLimit = (error: unknown): boolean =>
		error instanceof SkerryError && error.code === "guest/killed" && error.message.includes("fieldBytes is 100");
	const fields = Fields.empty(100);
	fields.append("name", bytes("x".repeat(30)));
	assert.throws(() => fields.append("more", bytes("y")), isLimit);
	assert.throws(() => fields.set("more", [bytes("y")]), isLimit);
	assert.throws(() => Fields.fromList([["n", bytes("z".repeat(68))]], 100), isLimit);
	assert.deepEqual(list(fields), [["name", "x".repeat(30)]]);
	// Replacing frees what was there.
	assert.deepEqual(fields.set("NAME", [bytes("y".repeat(60))]), { tag: "ok", val: undefined });
	fields.delete("name");
	assert.deepEqual(fields.append("n", bytes("z".repeat(67))), { tag: "ok", val: undefined });
});

test("what fields hold is counted until they are dropped", () => {
	let held = 0;
	const holder = {
		hold(more: number) {
			if (held + more > 500) throw new Error("too many");
			held += more;
		},
		release(less: number) {
			held -= less;
		},
	};
	const fields = Fields.empty(10_000, holder);
	assert.equal(held, 128);
	fields.append("a", bytes("12345"));
	assert.equal(held, 128 + 1 + 5 + 32);
	fields.set("a", [bytes("1"), bytes("2")]);
	assert.equal(held, 128 + 2 * (1 + 1 + 32));
	const copy = fields.clone();
	assert.equal(held, 2 * (128 + 68));
	assert.throws(() => copy.append("b", bytes("x".repeat(100))), /too many/);
	assert.deepEqual([copy.has("b"), held], [false, 2 * (128 + 68)]);
	assert.throws(() => copy.clone(), /too many/);
	copy.drop();
	copy.drop();
	fields.delete("a");
	assert.equal(held, 128);
	fields.drop();
	const list = Fields.fromList([["n", bytes("vv")]], 10_000, holder);
	assert.ok(list.tag === "ok");
	assert.equal(held, 128 + 1 + 2 + 32);
	list.val.drop();
	assert.equal(held, 0);
});
