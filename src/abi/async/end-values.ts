import type { ValueType } from "../../component/mod.ts";
import type { Context } from "../context.ts";
import type { ComponentInstance } from "../store.ts";
import { trap } from "../traps.ts";
import { CopyEnd, type EndKind } from "./copy-end.ts";
import { toHost } from "./host-end.ts";
import { fromHost } from "./host-writer.ts";
import { sameType } from "./same-type.ts";
import type { Shared } from "./shared-stream.ts";

type EndType = ValueType & { readonly kind: EndKind };

/** The end of a stream or future behind a handle, which is of the type that is expected. */
export function getEnd(instance: ComponentInstance, index: number, type: EndType, readable: boolean): CopyEnd {
	const end = instance.handles.get(index);
	if (!(end instanceof CopyEnd) || end.kind !== type.kind || end.readable !== readable) {
		trap(`handle index ${index >>> 0} is not the ${readable ? "readable" : "writable"} end of a ${type.kind}`);
	}
	if (!sameType(instance.store, end.shared.element, type.element)) {
		trap(`handle index ${index >>> 0} used with the wrong ${type.kind} type`);
	}
	return end;
}

/** CanonicalABI.md `lift_async_value`: gives the readable end away. A host gets a `HostStream` or a `HostFuture`. */
export function liftEnd(cx: Context, index: number, type: EndType): unknown {
	const { instance } = cx;
	const end = getEnd(instance, index, type, true);
	end.checkIdle("lift");
	if (end.set !== null) trap(`cannot lift ${type.kind} while it's in a waitable set`);
	instance.handles.remove(index);
	return cx.carried ? end.shared : toHost(instance.store, type, end.shared);
}

/** CanonicalABI.md `lower_stream`, `lower_future`. */
export function lowerEnd(cx: Context, value: unknown, type: EndType): number {
	const { instance } = cx;
	const shared = cx.carried ? (value as Shared) : fromHost(instance.store, type, value);
	return instance.handles.add(new CopyEnd(type.kind, true, shared));
}
