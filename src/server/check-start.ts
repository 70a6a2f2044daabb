import { formatLimit, LimitExceeded, type LimitName, type Limits, SkerryError } from "../fault/mod.ts";
import { instantiate, type Linked } from "../link/mod.ts";
import type { SandboxPool } from "../pool/mod.ts";
import { createWasiContext } from "../wasi/mod.ts";

/** What a component has from its beginning, whatever it is asked. */
const HELD = ["memory", "tables", "instances"] as const satisfies readonly LimitName[];

type Held = (typeof HELD)[number];

/**
 * Makes a first sandbox, as no request could be served where the limits are below what every one begins with. What else keeps it
 * from being made may be over with the next request, which is told.
 * @throws SkerryError `engine/options`
 */
export async function checkStart(
	pool: Pick<SandboxPool, "acquire">,
	linked: Linked,
	{ limits, app, reason }: { readonly limits: Limits; readonly app: string | undefined; readonly reason: unknown },
): Promise<void> {
	try {
		(await pool.acquire()).end(reason);
	} catch (error) {
		if (!(error instanceof LimitExceeded)) return;
		const limit = HELD.find((name) => name === error.limit);
		if (limit === undefined) return;
		const needed = measure(linked, limits, limit);
		// A start function that came to it may do so or not.
		if (needed === undefined || needed <= error.allowed) return;
		const allowed = formatLimit(limit, error.allowed);
		throw new SkerryError(
			"engine/options",
			`Cannot serve ${app ?? "the component"}: it begins with ${formatLimit(limit, needed)}, and its limit "${limit}" is ${allowed}`,
			{
				hint: `allow as much with --limit.${limit}, or under [limits] in skerry.toml; what it needs for a request comes on top`,
			},
		);
	}
}

/** How much it begins with; `undefined` where it cannot be made even so. */
function measure(linked: Linked, limits: Limits, limit: Held): number | undefined {
	const context = createWasiContext();
	try {
		const without = Object.fromEntries(HELD.map((name) => [name, Infinity]));
		const instance = instantiate(linked, context, { ...limits, ...without });
		const held = instance.held[limit];
		instance.dispose(undefined);
		return held;
	} catch {
		return undefined;
	} finally {
		context.end();
	}
}
