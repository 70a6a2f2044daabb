import type { ResourceType } from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import type { Context } from "./context.ts";
import { ResourceHandle } from "./handles.ts";
import { callDestructor, type ComponentInstance, type Store } from "./store.ts";
import { trap } from "./traps.ts";
import { GuestResource } from "./values.ts";

function getHandle(instance: ComponentInstance, index: number, type: ResourceType): ResourceHandle {
	const handle = instance.handles.get(index);
	if (!(handle instanceof ResourceHandle))
		trap(`handle index ${index >>> 0} used with the wrong type, it is no resource`);
	const { store } = instance;
	if (!store.sameResource(handle.type, type)) {
		trap(
			`handle index ${index >>> 0} used with the wrong type, expected ${origin(store, type)} resource` +
				` but found a different ${origin(store, handle.type)} resource`,
		);
	}
	return handle;
}

function origin(store: Store, type: ResourceType): string {
	return store.implementation(type).instance === null ? "host-defined" : "guest-defined";
}

/** Takes a handle that is not lent out of its table. */
function removeHandle(instance: ComponentInstance, index: number, type: ResourceType): ResourceHandle {
	const handle = getHandle(instance, index, type);
	if (handle.lends !== 0) trap("cannot remove owned resource while borrowed");
	instance.handles.remove(index);
	return handle;
}

export function liftOwn(cx: Context, index: number, type: ResourceType): unknown {
	const { instance } = cx;
	if (!getHandle(instance, index, type).owned) trap("cannot lift own resource from a borrow");
	const { rep } = removeHandle(instance, index, type);
	if (cx.carried || instance.store.implementation(type).instance === null) return rep;
	return new GuestResource(type, rep as number, false, instance.store.epoch);
}

export function liftBorrow(cx: Context, index: number, type: ResourceType): unknown {
	const { instance, scope } = cx;
	if (scope === null) throw new Error("a borrow was lifted outside of a call");
	const handle = getHandle(instance, index, type);
	scope.addLender(handle);
	if (cx.carried || instance.store.implementation(type).instance === null) return handle.rep;
	const resource = new GuestResource(type, handle.rep as number, true, instance.store.epoch);
	scope.addLent(resource);
	return resource;
}

/** The representation of a resource that comes from the other side, which gives it away when it is `owned`. */
function toRep(cx: Context, value: unknown, type: ResourceType, owned: boolean): unknown {
	if (cx.carried || cx.instance.store.implementation(type).instance === null) return value;
	const resource = value as GuestResource;
	if (owned) {
		// The check before lowering sees each argument by itself; this sees the same resource given twice.
		if (GuestResource.isSpent(resource))
			throw new SkerryError("call/bad-value", `Cannot give resource ${type.name} away: it is spent`);
		GuestResource.spend(resource);
	}
	return GuestResource.repOf(resource);
}

export function lowerOwn(cx: Context, value: unknown, type: ResourceType): number {
	const rep = toRep(cx, value, type, true);
	try {
		return cx.instance.handles.add(new ResourceHandle(type, rep, null));
	} catch (error) {
		// The table is full. A host's resource is in no table then that would give it back.
		const { store } = cx.instance;
		const { instance, destructor } = store.implementation(type);
		// What that comes to is not why the guest ends.
		if (instance === null) Promise.try(() => destructor?.(rep)).catch(store.warn);
		throw error;
	}
}

export function lowerBorrow(cx: Context, value: unknown, type: ResourceType): number {
	const { instance, scope } = cx;
	const rep = toRep(cx, value, type, false);
	if (instance.store.implementation(type).instance === instance) return rep as number;
	if (scope === null) throw new Error("a borrow was lowered outside of a call");
	scope.borrows++;
	return instance.handles.add(new ResourceHandle(type, rep, scope));
}

/** `canon resource.new` */
export function canonResourceNew(instance: ComponentInstance, resource: ResourceType): (rep: number) => number {
	return (rep) => {
		if (!instance.mayLeave) trap("cannot leave component instance");
		return instance.handles.add(new ResourceHandle(resource, rep, null));
	};
}

/** `canon resource.drop`. A promise only when the destructor waits. */
export function canonResourceDrop(
	instance: ComponentInstance,
	resource: ResourceType,
): (index: number) => undefined | Promise<undefined> {
	return (index) => {
		if (!instance.mayLeave) trap("cannot leave component instance");
		const handle = removeHandle(instance, index, resource);
		if (handle.scope !== null) {
			handle.scope.borrows--;
			return undefined;
		}
		const result = callDestructor(instance.store.implementation(resource), handle.rep, instance);
		return result instanceof Promise ? result.then(() => undefined) : undefined;
	};
}

/** `canon resource.rep`; allowed where `mayLeave` is false. */
export function canonResourceRep(instance: ComponentInstance, resource: ResourceType): (index: number) => number {
	return (index) => getHandle(instance, index, resource).rep as number;
}
