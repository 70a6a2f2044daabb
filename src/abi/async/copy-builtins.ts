import type { ValueType } from "../../component/mod.ts";
import { Context } from "../context.ts";
import { layoutOf } from "../layout.ts";
import type { CanonicalOptions, ComponentInstance, CoreFunction } from "../store.ts";
import { trap } from "../traps.ts";
import { CopyEnd, type EndKind } from "./copy-end.ts";
import { getEnd } from "./end-values.ts";
import { GuestBuffer, NO_LAYOUT } from "./guest-buffer.ts";
import type { AsyncInstance } from "./instance.ts";
import { COPY, type Copier, type CopyResult, type Shared, SharedFuture, SharedStream } from "./shared-stream.ts";
import { BLOCKED, EVENT, type Event, type Happening } from "./waitable.ts";

type EndType = ValueType & { readonly kind: EndKind };

export interface CopyOptions extends CanonicalOptions {
	readonly async: boolean;
}

export function checkMayLeave({ instance }: AsyncInstance): void {
	if (!instance.mayLeave) trap("cannot leave component instance");
}

/** `canon stream.new`, `future.new`: the readable end's index in the low half, the writable end's in the high half. */
export function canonNew(instance: AsyncInstance, type: EndType): () => bigint {
	return () => {
		checkMayLeave(instance);
		const { handles, store } = instance.instance;
		const ended = store.addStream();
		const shared: Shared =
			type.kind === "stream" ? new SharedStream(type.element, ended) : new SharedFuture(type.element, ended);
		const readable = handles.add(new CopyEnd(type.kind, true, shared));
		const writable = handles.add(new CopyEnd(type.kind, false, shared));
		return BigInt(readable) | (BigInt(writable) << 32n);
	};
}

function eventOf(kind: EndKind, readable: boolean): Event[0] {
	if (kind === "stream") return readable ? EVENT.streamRead : EVENT.streamWrite;
	return readable ? EVENT.futureRead : EVENT.futureWrite;
}

/** `canon stream.read`, `stream.write`, `future.read`, `future.write`. */
export function canonCopy(
	instance: AsyncInstance,
	type: EndType,
	readable: boolean,
	options: CopyOptions,
): (index: number, pointer: number, length?: number) => number | PromiseLike<number> {
	const event = eventOf(type.kind, readable);
	const verb = readable ? "read from" : "write to";
	const cx = new Context(options, instance.instance);
	const layout = type.element === null ? NO_LAYOUT : layoutOf(type.element);
	const copierOf = (end: CopyEnd): GuestCopier => {
		const { copier } = end;
		// Others with options of their own may copy at the same end.
		if (copier instanceof GuestCopier && copier.cx === cx) return copier;
		return (end.copier = new GuestCopier(end, cx, new GuestBuffer(cx, type.element, layout), event));
	};
	return (index, pointer, length = 1) => {
		checkMayLeave(instance);
		if (!options.async) instance.checkMayBlock();
		const end = getEnd(instance.instance, index, type, readable);
		end.checkIdle(verb);
		if (!options.async) end.checkAlone();
		const copier = copierOf(end);
		copier.begin(index >>> 0, pointer >>> 0, length >>> 0);
		if (readable) end.shared.read(copier);
		else end.shared.write(copier);
		if (end.hasPending) return end.takePending()[2];
		end.state = options.async ? "async-copying" : "sync-copying";
		if (options.async) return BLOCKED;
		const { thread } = instance.turns;
		// What a host gives next comes a little later: who has waited that long finds it there.
		return end.parkAlone(thread, end.shared.fill !== null);
	};
}

/** A guest's side of a copy, and what is to be told of it. One serves all the copies of an end, one after another. */
class GuestCopier implements Copier, Happening {
	readonly instance: ComponentInstance;
	readonly buffer: GuestBuffer;
	readonly cx: Context;
	readonly #end: CopyEnd;
	readonly #event: Event[0];
	#index = 0;
	#result: CopyResult = COPY.completed;
	/** Elements were copied, and more may be until this is told of. */
	#isOpen = false;

	constructor(end: CopyEnd, cx: Context, buffer: GuestBuffer, event: Event[0]) {
		this.instance = cx.instance;
		this.buffer = buffer;
		this.cx = cx;
		this.#end = end;
		this.#event = event;
	}

	/** @param index the end's, by which the guest knows it */
	begin(index: number, pointer: number, length: number): void {
		this.buffer.begin(pointer, length);
		this.#index = index;
	}

	onCopy(): void {
		this.#tell(COPY.completed, true);
	}

	onDone(result: CopyResult): void {
		this.#tell(result, false);
	}

	#tell(result: CopyResult, isOpen: boolean): void {
		this.#result = result;
		this.#isOpen = isOpen;
		this.#end.setPending(this);
	}

	take(): Event {
		const end = this.#end;
		const result = this.#result;
		if (this.#isOpen) end.shared.reclaim(this);
		const future = end.kind === "future";
		if (result === COPY.dropped || (future && result === COPY.completed)) end.end();
		else end.state = "idle";
		return [this.#event, this.#index, future ? result : (result | (this.buffer.progress << 4)) >>> 0];
	}
}

/** `canon stream.cancel-read` and its like. */
export function canonCancelCopy(
	instance: AsyncInstance,
	type: EndType,
	readable: boolean,
	async: boolean,
	relaxed: boolean,
): (index: number) => number | PromiseLike<number> {
	return (index) => {
		checkMayLeave(instance);
		if (!async) instance.checkMayBlock();
		const end = getEnd(instance.instance, index, type, readable);
		if (!async && !relaxed) end.checkAlone(" (the option lenientCancel allows it)");
		if (end.state !== "async-copying") trap("cannot cancel a copy that is not under way");
		end.state = "cancelling";
		if (end.copier !== null) end.shared.cancel(end.copier);
		if (end.hasPending) return end.takePending()[2];
		if (async) return BLOCKED;
		return end.waitAlone(instance.turns.thread);
	};
}

/** `canon stream.drop-readable` and its like. */
export function canonDropEnd(instance: AsyncInstance, type: EndType, readable: boolean): CoreFunction {
	return (index) => {
		checkMayLeave(instance);
		const end = getEnd(instance.instance, index as number, type, readable);
		end.drop();
		instance.instance.handles.remove(index as number);
		return undefined;
	};
}
