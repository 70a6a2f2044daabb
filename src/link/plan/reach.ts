import type { ResourceType } from "../../component/mod.ts";
import type { LiftedFunction, Step, Trampoline } from "./plan.ts";

/**
 * For each component instance of a plan, whether a call into it can come to a host function and hence may have to wait: through
 * what it lowers, through what those lower in turn, or through the destructors of resources that it drops. Calls into the others
 * need no stack of their own.
 */
export function findWaiting(count: number, lifted: readonly LiftedFunction[], steps: readonly Step[]): boolean[] {
	const from = definers(steps);
	const waits = Array.from({ length: count }, () => false);
	const callers: number[][] = Array.from({ length: count }, () => []);
	const found: number[] = [];
	const mark = (instance: number): void => {
		if (waits[instance] === true) return;
		waits[instance] = true;
		found.push(instance);
	};
	for (const trampoline of trampolines(steps)) {
		const callee = calleeOf(trampoline, lifted, from);
		if (callee === "host") mark(trampoline.instance);
		else if (callee !== null) callers[callee]?.push(trampoline.instance);
	}
	for (let next = found.pop(); next !== undefined; next = found.pop()) callers[next]?.forEach(mark);
	return waits;
}

function definers(steps: readonly Step[]): Map<ResourceType, number> {
	const found = new Map<ResourceType, number>();
	for (const step of steps) if (step.kind === "resource") found.set(step.resource, step.instance);
	return found;
}

function* trampolines(steps: readonly Step[]): Iterable<Trampoline> {
	for (const step of steps) if (step.kind === "trampolines") yield* step.trampolines;
}

/** The component instance that runs when the trampoline is called; `null` where no code but ours does. */
function calleeOf(
	trampoline: Trampoline,
	lifted: readonly LiftedFunction[],
	from: ReadonlyMap<ResourceType, number>,
): number | "host" | null {
	if (trampoline.kind === "resource.drop") return from.get(trampoline.resource) ?? "host";
	if (trampoline.kind === "core") return "host";
	if (trampoline.kind !== "lower") return null;
	if (trampoline.callee.kind === "host") return "host";
	return lifted[trampoline.callee.index]?.instance ?? null;
}
