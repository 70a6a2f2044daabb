import type { CoreGuest, CoreHostFunction, GuestMemory } from "../../link/mod.ts";
import { OutOfBounds } from "../../link/mod.ts";
import { FileFailure } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { folderRights, inheritedRights } from "./constants.ts";
import { Descriptors } from "./descriptors.ts";
import { Errno, errnoOf, errnoOfFailure } from "./errno.ts";

/** What one sandbox has of WASI 0.1. */
export class P1 {
	readonly context: WasiContext;
	readonly memory: GuestMemory;
	readonly descriptors: Descriptors;

	constructor(context: WasiContext, memory: GuestMemory) {
		this.context = context;
		this.memory = memory;
		this.descriptors = new Descriptors(context, context.limits.descriptors);
		const { terminal } = context;
		this.descriptors.add({ kind: "source", source: context.stdin, terminal: terminal.stdin ?? false });
		this.descriptors.add({ kind: "sink", sink: context.stdout, terminal: terminal.stdout ?? false });
		this.descriptors.add({ kind: "sink", sink: context.stderr, terminal: terminal.stderr ?? false });
		for (const { guest, open } of context.folders) {
			const folder = open();
			this.descriptors.add({
				kind: "folder",
				folder,
				preopen: guest,
				listing: undefined,
				rights: folderRights(folder.readOnly),
				inheriting: inheritedRights(folder.readOnly),
			});
		}
	}

	/** A path of the guest's. */
	path(pointer: number, length: number): string {
		const bytes = this.memory.read(pointer, length);
		try {
			return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
		} catch {
			throw new Errno("ilseq");
		}
	}
}

const states = new WeakMap<WasiContext, P1>();

function stateOf({ context, memory }: CoreGuest<WasiContext>): P1 {
	let state = states.get(context);
	if (state === undefined) states.set(context, (state = new P1(context, memory)));
	return state;
}

/** What a function of WASI 0.1 does. It gives nothing when it is done, or a promise; it throws an `Errno` when it fails. */
type P1Action = (p1: P1, ...args: any[]) => void | Promise<void>;

/**
 * One function of WASI 0.1, as a core module imports it.
 * @param params core types of the parameters, with spaces between; each result is an `errno`
 */
export function p1Function(params: string, action: P1Action): CoreHostFunction<WasiContext> {
	return {
		type: { params: params === "" ? [] : params.split(" "), results: ["i32"] },
		call(guest, ...args) {
			const p1 = stateOf(guest);
			try {
				const waiting = action(p1, ...args);
				if (waiting === undefined) return 0;
				return waiting.then(
					() => 0,
					(error: unknown) => toErrno(p1, error),
				);
			} catch (error) {
				return toErrno(p1, error);
			}
		},
	};
}

function toErrno({ context }: P1, error: unknown): number {
	// A pointer into nowhere is the guest's own mistake.
	if (error instanceof OutOfBounds) return errnoOf("fault");
	const number = errnoOfFailure(error);
	if (number === undefined) throw error;
	if (error instanceof FileFailure && error.code === "ENOTCAPABLE") {
		context.denied(
			`a path that leads out of the folder it was given (${error.message.replace(/^ENOTCAPABLE: /, "")})`,
			"`--dir HOST::GUEST` grants another folder",
		);
	} else if (error instanceof FileFailure && error.code === "EROFS") {
		context.denied("to change a folder that it may only read", "`--dir` without `::ro` grants that");
	}
	return number;
}
