import type { ResourceType } from "../component/mod.ts";
import { trap, trapAtLimit } from "./traps.ts";
import { GuestResource } from "./values.ts";

/** CanonicalABI.md `Table.MAX_LENGTH`: the highest index. */
export const MAX_HANDLES: number = 2 ** 28 - 1;

/** What one call borrows: CanonicalABI.md `Task.num_borrows` of a lifted and `Subtask.lenders` of a lowered function. */
export class CallScope {
	/** Borrow handles made for this call in the callee's table that it has not dropped yet. */
	borrows = 0;
	// Most calls borrow one thing, their `self`: lists are made for those that borrow more.
	#lender: ResourceHandle | null = null;
	#moreLenders: ResourceHandle[] | null = null;
	#lent: GuestResource[] | null = null;

	addLender(handle: ResourceHandle): void {
		handle.lends++;
		if (this.#lender === null) this.#lender = handle;
		else (this.#moreLenders ??= []).push(handle);
	}

	/** `resource` is a borrow that a host function holds; it ends with the call. */
	addLent(resource: GuestResource): void {
		(this.#lent ??= []).push(resource);
	}

	/** The call has returned: its lenders may be dropped or moved again. */
	release(): void {
		if (this.#lender !== null) this.#lender.lends--;
		if (this.#moreLenders !== null) for (const handle of this.#moreLenders) handle.lends--;
		this.expire();
	}

	/** What hosts were lent is no longer valid. */
	expire(): void {
		if (this.#lent !== null) for (const resource of this.#lent) GuestResource.spend(resource);
	}
}

/** CanonicalABI.md `ResourceHandle`. */
export class ResourceHandle {
	readonly type: ResourceType;
	/** An i32 for a guest's resource; any value for a host's. */
	readonly rep: unknown;
	/** The call for which a borrow was made; `null` for an owning handle. */
	readonly scope: CallScope | null;
	/** How many calls under way borrow from this handle. */
	lends = 0;

	constructor(type: ResourceType, rep: unknown, scope: CallScope | null) {
		this.type = type;
		this.rep = rep;
		this.scope = scope;
	}

	get owned(): boolean {
		return this.scope === null;
	}
}

/** What a table holds beside resources: waitables and their sets. `release` is called when the sandbox ends. */
export interface TableElement {
	release(): void;
}

/** As many entries a table keeps room for from one use to the next. */
const ROOM = 1024;

interface HandleHolder {
	/** Goes up and down with the table. */
	handles: number;
	/** Whose it is, for errors. */
	readonly app?: string | undefined;
}

/** CanonicalABI.md `Table`: the handles of one component instance. Index 0 is never given out; freed indices are reused last-in first-out. */
export class HandleTable {
	readonly #holder: HandleHolder;
	/** The highest index, at most `MAX_HANDLES`. */
	maximum: number;
	readonly #entries: (ResourceHandle | TableElement | undefined)[] = [undefined];
	/** Indexes below this were given out; the array keeps its room for the next use. */
	#used = 1;
	#free: number[] = [];

	constructor(holder: HandleHolder, maximum: number = MAX_HANDLES) {
		this.#holder = holder;
		this.maximum = maximum;
	}

	add(handle: ResourceHandle | TableElement): number {
		let index = this.#free.length > 0 ? this.#free.pop() : undefined;
		if (index === undefined) {
			index = this.#used;
			if (index > this.maximum) trapAtLimit("handle table is full", "handles", this.maximum, this.#holder.app);
			this.#used++;
		}
		this.#entries[index] = handle;
		this.#holder.handles++;
		return index;
	}

	/** `index` as core code gave it: an i32 of either sign. */
	get(index: number): ResourceHandle | TableElement {
		const handle = this.#entries[index >>> 0];
		if (handle === undefined) trap(`unknown handle index ${index >>> 0}`);
		return handle;
	}

	/** Takes out what `get` returned for `index`. */
	remove(index: number): void {
		this.#entries[index >>> 0] = undefined;
		this.#free.push(index >>> 0);
		this.#holder.handles--;
	}

	/** Empties the table: releases what is no resource, and returns the resources that were in it. */
	drain(): ResourceHandle[] {
		if (this.#used === 1) return [];
		const handles: ResourceHandle[] = [];
		const others: TableElement[] = [];
		for (let i = 1; i < this.#used; i++) {
			const entry = this.#entries[i];
			if (entry === undefined) continue;
			if (entry instanceof ResourceHandle) handles.push(entry);
			else others.push(entry);
			this.#entries[i] = undefined;
		}
		if (this.#used > ROOM) this.#entries.length = ROOM;
		this.#used = 1;
		if (this.#free.length > ROOM) this.#free = [];
		else while (this.#free.length > 0) this.#free.pop();
		this.#holder.handles -= handles.length + others.length;
		for (const other of others) other.release();
		return handles;
	}
}
