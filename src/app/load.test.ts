import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Code, SkerryError } from "../fault/mod.ts";
import { loadApp } from "./load.ts";
import { MAX_MANIFEST_BYTES } from "./limits.ts";
import { MINIMAL_MANIFEST } from "./schema.ts";

let folder: string;
before(async () => {
	folder = await mkdtemp(join(tmpdir(), "skerry-app-"));
	await mkdir(join(folder, "src"));
	await writeFile(join(folder, "src/app.ts"), "");
	await writeFile(join(folder, "app.wasm"), "");
});
after(() => rm(folder, { recursive: true }));

async function load(manifest: string): ReturnType<typeof loadApp> {
	await writeFile(join(folder, "skerry.toml"), manifest);
	return loadApp(folder);
}

async function refusal(promise: Promise<unknown>, code: Code = "app/manifest"): Promise<SkerryError> {
	const error = await promise.then(
		() => assert.fail("it was accepted"),
		(error: unknown) => error,
	);
	assert.ok(error instanceof SkerryError, String(error));
	assert.equal(error.code, code);
	return error;
}

const SMALLEST = /^the smallest skerry\.toml:\n\n {4}\[application\]\n[^]*\[\[trigger\.http\]\]\n/;
const TRIGGER = '[[trigger.http]]\nroute = "/..."\ncomponent = "app"\n';
const APPLICATION = '[application]\nname = "a"\n';
const COMPONENT = '[component.app]\nsource = "src/app.ts"\n';

describe("a manifest that is right", () => {
	it("is read whole, with absolute paths and frozen to its leaves", async () => {
		const app = await load(`metering = "yield"

[application]
name = "shop"
version = "1.2.3"
description = "Sells things"
try = ["curl {url}/"]

[[trigger.http]]
route = "/..."
component = "front-end"

[component.front-end]
source = "src/app.ts"
allowed_outbound_hosts = ["https://api.example.com", "http://*.example.com:8080", "*://127.0.0.1:*"]
environment = { MODE = "test", "with space" = "" }

[component.other]
source = "app.wasm"

[limits]
memory = "64MiB"
cpu = "50ms"
tables = 20000
fuel = "none"
`);
		assert.deepEqual(app, {
			name: "shop",
			version: "1.2.3",
			description: "Sells things",
			try: ["curl {url}/"],
			folder,
			file: join(folder, "skerry.toml"),
			limits: { memory: 64 * 1024 * 1024, cpu: 50, tables: 20_000, fuel: Infinity },
			metering: "yield",
			triggers: { http: [{ route: "/...", component: "front-end" }] },
			components: {
				"front-end": {
					id: "front-end",
					source: join(folder, "src/app.ts"),
					kind: "script",
					allowedOutboundHosts: ["https://api.example.com", "http://*.example.com:8080", "*://127.0.0.1:*"],
					environment: { MODE: "test", "with space": "" },
				},
				other: {
					id: "other",
					source: join(folder, "app.wasm"),
					kind: "wasm",
					allowedOutboundHosts: [],
					environment: {},
				},
			},
		});
		assert.throws(() => ((app.components as Record<string, unknown>)["x"] = 1), TypeError);
		assert.throws(() => ((app.triggers.http[0] as { route: string }).route = "/"), TypeError);
	});

	it("may be the minimal one that the messages show", async () => {
		const app = await load(MINIMAL_MANIFEST);
		assert.deepEqual(Object.keys(app.components), ["app"]);
		assert.equal(app.version, undefined);
	});

	it("may have Windows line ends", async () => {
		assert.equal((await load(MINIMAL_MANIFEST.replaceAll("\n", "\r\n"))).name, "my-app");
	});
});

describe("a manifest with one mistake names it, its line and its key", () => {
	const cases: { name: string; manifest: string; message: RegExp; line?: number; key?: string; hint?: RegExp }[] = [
		{
			name: "no TOML",
			manifest: '[application]\nname = "a\n',
			message: /control characters are not allowed in strings/,
			line: 2,
		},
		{ name: "a key twice", manifest: "a = 1\na = 2\n", message: /trying to redefine|redefine|already/, line: 2 },
		{
			name: "an unknown table",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}[components.x]\na = 1\n`,
			message: /unknown key `components`$/,
			line: 8,
			key: "components",
			hint: /did you mean `component`\?/,
		},
		{
			name: "an unknown key far from any",
			manifest: `${APPLICATION}colour = "red"\n${TRIGGER}${COMPONENT}`,
			message: /unknown key `colour`$/,
			line: 3,
			key: "application.colour",
			hint: /the keys here are name, version, description, try$/,
		},
		{
			name: "a key that Object.prototype has",
			manifest: `${APPLICATION}constructor = "red"\n${TRIGGER}${COMPONENT}`,
			message: /unknown key `constructor`$/,
			line: 3,
			key: "application.constructor",
		},
		{
			name: "a misspelt key after a statement of several lines",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}allowed_outbound_hosts = [\n  "https://a.example", # one\n]\nenviroment = {}\n`,
			message: /unknown key `enviroment`$/,
			line: 11,
			key: "component.app.enviroment",
			hint: /did you mean `environment`\?/,
		},
		{
			name: "a key of Spin's that is not there yet",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}key_value_stores = ["default"]\n`,
			message: /`key_value_stores` is a key of Spin's manifest that is not supported yet$/,
			line: 8,
			key: "component.app.key_value_stores",
		},
		{
			name: "no name",
			manifest: `[application]\n${TRIGGER}${COMPONENT}`,
			message: /`name` is missing$/,
			line: 1,
			key: "application",
		},
		{
			name: "an empty name",
			manifest: `[application]\nname = ""\n${TRIGGER}${COMPONENT}`,
			message: /`name` must be a text that is not empty, not ""$/,
			line: 2,
			key: "application.name",
		},
		{
			name: "no source",
			manifest: `${APPLICATION}${TRIGGER}[component.app]\n`,
			message: /`source` is missing$/,
			line: 6,
			key: "component.app",
		},
		{
			name: "a source that is not there",
			manifest: `${APPLICATION}${TRIGGER}[component.app]\nsource = "src/ap.ts"\n`,
			message: /there is no file .*src\/ap\.ts$/,
			line: 7,
			key: "component.app.source",
		},
		{
			name: "a source of another kind",
			manifest: `${APPLICATION}${TRIGGER}[component.app]\nsource = "skerry.toml"\n`,
			message: /"skerry\.toml" is neither a component \(\.wasm\) nor a script/,
			line: 7,
			key: "component.app.source",
		},
		{
			name: "another route",
			manifest: `${APPLICATION}${TRIGGER.replace("/...", "/api/...")}${COMPONENT}`,
			message: /the route "\/api\/\.\.\." is not supported yet$/,
			line: 4,
			key: "trigger.http[0].route",
			hint: /route = "\/\.\.\."/,
		},
		{
			name: "a second trigger",
			manifest: `${APPLICATION}${TRIGGER}${TRIGGER}${COMPONENT}`,
			message: /more than one HTTP trigger is not supported yet$/,
			line: 6,
			key: "trigger.http[1]",
		},
		{
			name: "a trigger that is a table",
			manifest: `${APPLICATION}${TRIGGER.replace("[[trigger.http]]", "[trigger.http]")}${COMPONENT}`,
			message: /`http` must be an array of tables, \[\[trigger\.http\]\], not a table$/,
			line: 3,
			key: "trigger.http",
		},
		{
			name: "no trigger at all",
			manifest: `${APPLICATION}trigger = {}\n${COMPONENT}`.replace("trigger = {}\n", "[trigger]\n"),
			message: /`http` is missing$/,
			line: 3,
			key: "trigger",
			hint: SMALLEST,
		},
		{
			name: "a component that is not there",
			manifest: `${APPLICATION}${TRIGGER.replace('"app"', '"ap"')}${COMPONENT}`,
			message: /there is no component "ap"$/,
			line: 5,
			key: "trigger.http[0].component",
			hint: /did you mean `app`\?/,
		},
		{
			name: "a component id with a space",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}[component."a b"]\nsource = "app.wasm"\n`,
			message: /"a b" is no component id/,
			line: 8,
			key: 'component."a b"',
		},
		{
			name: "a host without a scheme",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}allowed_outbound_hosts = ["https://ok.example", "api.example.com"]\n`,
			message: /"api\.example\.com" is no outbound host$/,
			line: 8,
			key: "component.app.allowed_outbound_hosts[1]",
			hint: /scheme:\/\/host\[:port\]/,
		},
		{
			name: "hosts that are no list",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}allowed_outbound_hosts = "https://ok.example"\n`,
			message: /`allowed_outbound_hosts` must be a list of texts, not "https:\/\/ok\.example"$/,
			line: 8,
			key: "component.app.allowed_outbound_hosts",
		},
		{
			name: "an environment that is no text",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}[component.app.environment]\nPORT = 80\n`,
			message: /`PORT` must be a text, not 80$/,
			line: 9,
			key: "component.app.environment.PORT",
		},
		{
			name: "a limit without its unit",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}[limits]\nmemory = 64\ncpu = 50\n`,
			message: /`cpu` must be a time such as 50ms, 10s or 2m, at most 596h, or none, not 50$/,
			line: 10,
			key: "limits.cpu",
		},
		{
			name: "a limit that there is not",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}[limits]\nmemmory = "64MiB"\n`,
			message: /unknown key `memmory`$/,
			line: 9,
			key: "limits.memmory",
			hint: /did you mean `memory`\?/,
		},
		{
			name: "a metering that there is not",
			manifest: `metering = "yeld"\n${APPLICATION}${TRIGGER}${COMPONENT}`,
			message: /there is no metering "yeld"$/,
			line: 1,
			key: "metering",
			hint: /did you mean `yield`\?/,
		},
		{
			name: "an environment name that no process could have",
			manifest: `${APPLICATION}${TRIGGER}${COMPONENT}environment = { "A=B" = "c" }\n`,
			message: /"A=B" is no name of an environment variable$/,
			line: 8,
			key: 'component.app.environment."A=B"',
		},
	];
	for (const { name, manifest, message, line, key, hint } of cases) {
		it(name, async () => {
			const error = await refusal(load(manifest));
			assert.match(error.message, message);
			const { column: _, ...place } = error.place ?? {};
			assert.deepEqual(place, {
				file: join(folder, "skerry.toml"),
				...(line === undefined ? {} : { line }),
				...(key === undefined ? {} : { key }),
			});
			if (hint !== undefined) assert.match(error.hint ?? "", hint);
		});
	}
});

describe("what else loadApp refuses", () => {
	it("reports several mistakes together, in the order of the file", async () => {
		const error = await refusal(load('[application]\nnam = "a"\n\n[component.app]\nsource = 3\n'));
		assert.equal(
			error.message,
			`Cannot read the manifest: 4 problems
  \`trigger\` is missing
  line 1, key application: \`name\` is missing
  line 2, key application.nam: unknown key \`nam\` (did you mean \`name\`?)
  line 5, key component.app.source: \`source\` must be a text that is not empty, not 3`,
		);
		assert.deepEqual(error.place, { file: join(folder, "skerry.toml") });
		assert.match(error.hint ?? "", SMALLEST);
		const typing = await refusal(load(MINIMAL_MANIFEST.replace('"app"', '"ap"').replace("my-app", "")));
		assert.match(typing.message, /2 problems/);
		assert.equal(typing.hint, undefined, "nothing is missing");
	});

	it("names the manifest that is due in a folder without one, and shows a minimal one", async () => {
		const error = await refusal(loadApp(join(folder, "src")));
		assert.match(error.message, /there is no skerry\.toml$/);
		assert.match(error.hint ?? "", /\[\[trigger\.http\]\]/);
	});

	it("says that spin.toml is not read", async () => {
		await writeFile(join(folder, "src/spin.toml"), "");
		const error = await refusal(loadApp(join(folder, "src")));
		assert.match(error.message, /there is no skerry\.toml \(spin\.toml is not read yet\)$/);
	});

	it("a folder that is not there", async () => {
		await refusal(loadApp(join(folder, "no")), "cli/file-not-found");
	});

	it("a manifest that is too large, before reading it", async () => {
		const error = await refusal(load("#".repeat(MAX_MANIFEST_BYTES + 1)));
		assert.match(error.message, /65537 bytes, more than 65536$/);
	});

	it("finds its way through a manifest of one endless statement in bounded time", async () => {
		const long = `x = [\n${"1,\n".repeat(MAX_MANIFEST_BYTES / 4)}]\n`;
		const error = await refusal(load(long));
		assert.match(error.message, /unknown key `x`/);
	});
});
