import { SkerryError } from "../../fault/mod.ts";

/** Validation's refusal, with the absolute offset of the definition at fault. */
export function invalid(message: string, offset: number, cause?: unknown): SkerryError {
	return new SkerryError("component/invalid", message, {
		place: { offset },
		...(cause === undefined ? {} : { cause }),
	});
}

export function overLimit(message: string, offset: number): SkerryError {
	return new SkerryError("binary/limit", message, { place: { offset } });
}
