/** What became of one command of a script. `skipped` names the feature that is not supported yet. */
export interface Outcome {
	readonly line: number;
	readonly status: "passed" | "failed" | "skipped";
	readonly why: string;
}

/** Thrown by a command that is neither passed nor failed: what it tests is not there, or not ours to refuse. */
export class Skipped extends Error {}

/** Does what a command says. */
export async function outcomeOf(line: number, run: () => Promise<void>): Promise<Outcome> {
	try {
		await run();
		return { line, status: "passed", why: "" };
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error);
		return { line, status: error instanceof Skipped ? "skipped" : "failed", why };
	}
}
