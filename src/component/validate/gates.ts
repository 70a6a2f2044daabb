import { SkerryError } from "../../fault/mod.ts";

/**
 * Features that the specification gates and that are refused by name. The other gated ones (fixed-length lists, threads of one
 * component, `async` on `subtask.cancel`, stackful lifts) are part of the conformance suite and validate.
 */
const REFUSED = {
	values: "component values and start functions",
	"error-context": "error contexts",
	"shared-threads":
		"threads that run in parallel (thread.spawn-ref, thread.spawn-indirect, thread.available-parallelism)",
	"canonical-names": "canonical interface names (the version suffix attribute)",
	memory64: "64-bit memories and representations in the canonical ABI",
	gc: "lifting and lowering to garbage-collected core types",
} as const;

export type GatedFeature = keyof typeof REFUSED;

/** The error for a component that uses a feature that is not switched on. */
export function unsupported(feature: GatedFeature, offset: number): SkerryError {
	return new SkerryError("binary/unsupported", `the component uses ${REFUSED[feature]}, which are not supported yet`, {
		place: { offset },
	});
}
