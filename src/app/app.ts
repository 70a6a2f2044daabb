import type { Limits, MeteringMode } from "../fault/mod.ts";

/** An application as its manifest describes it: plain, frozen data, with every path absolute. */
export interface App {
	readonly name: string;
	readonly version: string | undefined;
	readonly description: string | undefined;
	/** Commands shown when the application starts; `{url}` stands for its address. Skerry's own key. */
	readonly try: readonly string[];
	/** The folder of the manifest, absolute; relative paths in it start here. */
	readonly folder: string;
	/** The manifest itself, absolute. */
	readonly file: string;
	/** What each call of its components may take; what is left out has its default. Skerry's own key. */
	readonly limits: Limits;
	/** How guests are stopped that hold the thread. Skerry's own key. */
	readonly metering: MeteringMode | undefined;
	readonly triggers: { readonly http: readonly HttpTrigger[] };
	readonly components: Readonly<Record<string, AppComponent>>;
}

/** Requests whose path matches `route` go to the component named `component`. */
export interface HttpTrigger {
	/** `/...` matches every path; the only route so far. */
	readonly route: string;
	/** A key of `App.components`. */
	readonly component: string;
}

export interface AppComponent {
	readonly id: string;
	/** Absolute path of an existing file. */
	readonly source: string;
	/** `wasm` is served as it is; `script` (JavaScript, TypeScript) is built first. */
	readonly kind: "wasm" | "script";
	/** What the component may call: `scheme://host[:port]`, as written in the manifest. */
	readonly allowedOutboundHosts: readonly string[];
	readonly environment: Readonly<Record<string, string>>;
}
