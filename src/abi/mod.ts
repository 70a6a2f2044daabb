/** The canonical ABI: values between component functions and core code, handles, and the state of component instances. */
export { canonLift, canonLower } from "./call.ts";
export { hostFunction } from "./host-function.ts";
export { canonResourceDrop, canonResourceNew, canonResourceRep } from "./resources.ts";
export { findUnsupported } from "./signature.ts";
export {
	type CanonicalOptions,
	type ComponentFunction,
	ComponentInstance,
	type CoreFunction,
	type CoreValue,
	type LinearMemory,
	type ResourceImplementation,
	Store,
} from "./store.ts";
export { GuestResource, type Tagged } from "./values.ts";
