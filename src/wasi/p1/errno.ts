import { FileFailure, StreamFailure } from "../../sys/mod.ts";

/** WASI 0.1 `errno`, in its order: the place is the number. */
const NAMES = (
	"success 2big acces addrinuse addrnotavail afnosupport again already badf badmsg busy canceled child connaborted connrefused connreset " +
	"deadlk destaddrreq dom dquot exist fault fbig hostunreach idrm ilseq inprogress intr inval io isconn isdir loop mfile mlink msgsize " +
	"multihop nametoolong netdown netreset netunreach nfile nobufs nodev noent noexec nolck nolink nomem nomsg noprotoopt nospc nosys " +
	"notconn notdir notempty notrecoverable notsock notsup notty nxio overflow ownerdead perm pipe proto protonosupport prototype range " +
	"rofs spipe srch stale timedout txtbsy xdev notcapable"
).split(" ");

const NUMBERS: ReadonlyMap<string, number> = new Map(NAMES.map((name, number) => [name, number]));

/** A call fails with this: the guest gets its number. */
export class Errno extends Error {
	override readonly name = "Errno";
	readonly number: number;

	/** @param name as the specification has it: `badf`, `inval` */
	constructor(name: string) {
		super(name);
		this.number = errnoOf(name);
	}
}

/** The number of a name that the table has. */
export function errnoOf(name: string): number {
	const number = NUMBERS.get(name);
	if (number === undefined) throw new Error(`no errno ${name}`);
	return number;
}

/** What a failed call means to the guest; `undefined` where it is no failure of that kind. */
export function errnoOfFailure(error: unknown): number | undefined {
	if (error instanceof Errno) return error.number;
	if (error instanceof StreamFailure) return errnoOf("io");
	if (error instanceof FileFailure) return NUMBERS.get(error.code.slice(1).toLowerCase()) ?? errnoOf("io");
	return undefined;
}
