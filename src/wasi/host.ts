import type { HostImports } from "../link/mod.ts";
import { WASI_P2 } from "./p2/interfaces.ts";

/** Everything of WASI that components can import, by any version that is compatible with 0.2. */
export const WASI_HOST: HostImports = { interfaces: WASI_P2, explain: explainImport };

/** Why an interface of WASI is not to be had: by the version it belongs to. */
function explainImport(name: string): string | undefined {
	const match = /^wasi:[a-z0-9-]+\/[a-z0-9-]+@(\d+\.\d+)/.exec(name);
	if (match === null || match[1] === "0.2") return undefined;
	return `WASI ${match[1]} is not supported yet; Skerry provides WASI 0.2.0 to 0.2.12`;
}
