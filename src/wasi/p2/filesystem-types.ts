import type { HostFunction, HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { err } from "../result.ts";
import { defineInterface } from "./interface.ts";

/** The methods that return a result. Without a preopened folder no descriptor exists, and each answers as it would for a closed one. */
const FALLIBLE = [
	"[method]descriptor.read-via-stream",
	"[method]descriptor.write-via-stream",
	"[method]descriptor.append-via-stream",
	"[method]descriptor.advise",
	"[method]descriptor.sync-data",
	"[method]descriptor.get-flags",
	"[method]descriptor.get-type",
	"[method]descriptor.set-size",
	"[method]descriptor.set-times",
	"[method]descriptor.read",
	"[method]descriptor.write",
	"[method]descriptor.read-directory",
	"[method]descriptor.sync",
	"[method]descriptor.create-directory-at",
	"[method]descriptor.stat",
	"[method]descriptor.stat-at",
	"[method]descriptor.set-times-at",
	"[method]descriptor.link-at",
	"[method]descriptor.open-at",
	"[method]descriptor.readlink-at",
	"[method]descriptor.remove-directory-at",
	"[method]descriptor.rename-at",
	"[method]descriptor.symlink-at",
	"[method]descriptor.unlink-file-at",
	"[method]descriptor.metadata-hash",
	"[method]descriptor.metadata-hash-at",
	"[method]directory-entry-stream.read-directory-entry",
] as const;

const badDescriptor: HostFunction<WasiContext> = () => err("bad-descriptor");

export const filesystemTypes: HostInterface<WasiContext> = defineInterface(
	"filesystem/types",
	{
		...Object.fromEntries(FALLIBLE.map((name) => [name, badDescriptor])),
		"[method]descriptor.is-same-object": (_context, self: unknown, other: unknown) => self === other,
		// No stream comes from a file, so no stream's error is the file system's.
		"filesystem-error-code": () => undefined,
	},
	{ descriptor: {}, "directory-entry-stream": {} },
);
