import { LIMIT_NAMES } from "../fault/mod.ts";

/** What a key may hold; `later` names a key of Spin's manifest that this version refuses by name. */
type KeyKind = "string" | "strings" | "string-table" | "table" | "array" | "tables-by-name" | "limit" | "later";

interface KeyRow {
	readonly kind: KeyKind;
	readonly required?: true;
}

/** The keys of one table. */
export type TableSchema = Readonly<Record<string, KeyRow>>;

type TableName = "root" | "limits" | "application" | "trigger" | "httpTrigger" | "component";

/**
 * The manifest, key by key. Names and meanings are those of Spin's manifest, version 2, so that what is learnt here or there serves both.
 * @see https://spinframework.dev/manifest-reference
 */
export const SCHEMA: Readonly<Record<TableName, TableSchema>> = {
	root: {
		application: { kind: "table", required: true },
		trigger: { kind: "table", required: true },
		component: { kind: "tables-by-name", required: true },
		limits: { kind: "table" },
		metering: { kind: "string" },
		variables: { kind: "later" },
	},
	// By the one table of limits.
	limits: Object.fromEntries(LIMIT_NAMES.map((name) => [name, { kind: "limit" }] as const)),
	application: {
		name: { kind: "string", required: true },
		version: { kind: "string" },
		description: { kind: "string" },
		try: { kind: "strings" },
		authors: { kind: "later" },
		targets: { kind: "later" },
		trigger: { kind: "later" },
	},
	trigger: {
		http: { kind: "array", required: true },
		redis: { kind: "later" },
	},
	httpTrigger: {
		route: { kind: "string", required: true },
		component: { kind: "string", required: true },
		executor: { kind: "later" },
		static_response: { kind: "later" },
		dependencies: { kind: "later" },
	},
	component: {
		source: { kind: "string", required: true },
		allowed_outbound_hosts: { kind: "strings" },
		environment: { kind: "string-table" },
		description: { kind: "later" },
		variables: { kind: "later" },
		files: { kind: "later" },
		exclude_files: { kind: "later" },
		key_value_stores: { kind: "later" },
		sqlite_databases: { kind: "later" },
		ai_models: { kind: "later" },
		targets: { kind: "later" },
		build: { kind: "later" },
		tool: { kind: "later" },
		dependencies_inherit_configuration: { kind: "later" },
		dependencies: { kind: "later" },
		profile: { kind: "later" },
	},
};

/** The smallest manifest that works, for messages. */
export const MINIMAL_MANIFEST = `[application]
name = "my-app"

[[trigger.http]]
route = "/..."
component = "app"

[component.app]
source = "src/app.ts"
`;
