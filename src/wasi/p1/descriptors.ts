import type { ByteSink, ByteSource, Folder, FolderEntry, OpenFile } from "../../sys/mod.ts";
import type { WasiContext } from "../context.ts";
import { Errno } from "./errno.ts";

/** A position in a folder's listing: what has been read of it, and what is still to come. */
export interface Listing {
	readonly entries: Iterator<FolderEntry>;
	/** The cookie of the entry that comes next. */
	next: bigint;
	/** Read, but not taken by the guest: it did not fit. */
	pending: FolderEntry | undefined;
}

/** What a guest's file descriptor stands for. */
export type Descriptor =
	| { readonly kind: "source"; readonly source: ByteSource; readonly terminal: boolean }
	| { readonly kind: "sink"; readonly sink: ByteSink; readonly terminal: boolean }
	| {
			readonly kind: "file";
			readonly file: OpenFile;
			position: bigint;
			append: boolean;
			/** What it may still be used for. */
			rights: bigint;
			inheriting: bigint;
	  }
	| {
			readonly kind: "folder";
			readonly folder: Folder;
			/** The guest's name of it, where it was granted from outside. */
			readonly preopen: string | undefined;
			listing: Listing | undefined;
			rights: bigint;
			inheriting: bigint;
	  };

type Kind = Descriptor["kind"];
type OfKind<K extends Kind> = Extract<Descriptor, { kind: K }>;

/** A guest's open files by their numbers. The lowest free number is given out, as POSIX has it. */
export class Descriptors {
	readonly #all = new Map<number, Descriptor>();
	readonly #limit: number;

	/** @param context closes what is left open when it ends */
	constructor(context: WasiContext, limit: number) {
		this.#limit = limit;
		context.onEnd(() => {
			for (const descriptor of this.#all.values()) release(descriptor);
			this.#all.clear();
		});
	}

	add(descriptor: Descriptor): number {
		let number = 0;
		while (this.#all.has(number)) number++;
		if (number >= this.#limit) {
			release(descriptor);
			throw new Errno("mfile");
		}
		this.#all.set(number, descriptor);
		return number;
	}

	get(number: number): Descriptor {
		const found = this.#all.get(number);
		if (found === undefined) throw new Errno("badf");
		return found;
	}

	/** @param otherwise the error where it is something else */
	ofKind<K extends Kind>(number: number, kind: K, otherwise: string): OfKind<K> {
		const found = this.get(number);
		if (found.kind !== kind) throw new Errno(otherwise);
		return found as OfKind<K>;
	}

	close(number: number): void {
		release(this.get(number));
		this.#all.delete(number);
	}

	/** `from` goes to the place of `to`, which is closed. */
	renumber(from: number, to: number): void {
		const moved = this.get(from);
		const replaced = this.get(to);
		if (from === to) return;
		release(replaced);
		this.#all.set(to, moved);
		this.#all.delete(from);
	}
}

/** The standard streams belong to the context, which closes them when it ends: a guest's closing one is none of its reader's business. */
function release(descriptor: Descriptor): void {
	if (descriptor.kind === "file") descriptor.file.close();
	else if (descriptor.kind === "folder") {
		descriptor.listing?.entries.return?.();
		descriptor.folder.close();
	}
}
