/** Errors: one base class, one table of codes, one way to show them. The lowest part; everything may use it. */
export { CODES, type Code } from "./codes.ts";
export { type FaultOptions, inFile, type Place, SkerryError, type SourceLine, Trap, type TrapFrame } from "./error.ts";
export { describeLimit, LIMIT_NAMES, parseLimit } from "./limit-value.ts";
export { nearest } from "./nearest.ts";
export { renderError, renderLine, renderPlace } from "./render.ts";
export { isErrorOf, messageOf } from "./thrown.ts";
export { nameApp, nameStderr } from "./whose.ts";
export {
	checkMetered,
	formatLimit,
	LimitExceeded,
	LIMITS,
	type LimitName,
	type Limits,
	METERING_MODES,
	type MeteringMode,
	withDefaultLimits,
} from "./limits.ts";
