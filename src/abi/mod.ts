/** The canonical ABI: values between component functions and core code, handles, and the state of component instances. */
export { canonCancelCopy, canonCopy, canonDropEnd, canonNew } from "./async/copy-builtins.ts";
export { type Chunk, HOST_END, HostFuture, HostStream } from "./async/host-end.ts";
export type { CancellablePromise } from "./async/host-callee.ts";
export type { AsyncInstance } from "./async/instance.ts";
export { Surfaced } from "./async/at-once.ts";
export { AsyncLiftedFunction } from "./async/lift.ts";
export { AsyncLoweredFunction } from "./async/lower.ts";
export { Parked, type ParkedListener } from "./async/parked.ts";
export { Scheduler, type Watch } from "./async/scheduler.ts";
export {
	canonBackpressure,
	canonContextGet,
	canonContextSet,
	canonJoin,
	canonSetDrop,
	canonSetNew,
	canonSetPoll,
	canonSetWait,
	canonSubtaskCancel,
	canonSubtaskDrop,
	canonTaskCancel,
	canonTaskReturn,
	isReturnedPlainly,
} from "./async/task-builtins.ts";
export {
	canonResumeLater,
	canonSuspend,
	canonSwitch,
	canonThreadIndex,
	canonThreadNew,
	canonYield,
	type Switch,
	type ThreadStarts,
} from "./async/thread-builtins.ts";
export type { TaskOptions } from "./async/thread.ts";
export { canonLift, canonLower } from "./call.ts";
export { hostFunction } from "./host-function.ts";
export type { BriefCalls } from "./interpret-lift.ts";
export { isNumeric } from "./numeric-list.ts";
export { type PassedBytes, type PassedScalar, PassedSides, type Passing, passingOf } from "./passing.ts";
export { canonResourceDrop, canonResourceNew, canonResourceRep } from "./resources.ts";
export { findUnsupported, isAsync } from "./signature.ts";
export {
	type CanonicalOptions,
	type ComponentFunction,
	ComponentInstance,
	type CoreFunction,
	type CoreValue,
	type FindNonAscii,
	type LinearMemory,
	type PassAcross,
	type Realloc,
	type ResourceImplementation,
	Store,
} from "./store.ts";
export { GuestResource, type Tagged } from "./values.ts";
export { SharedBuffer } from "./shared-buffer.ts";
