/** The entry of the command line: what `bin/skerry.js` starts. */
import { runProgram } from "./program.ts";
import { exitStatusOf, ignoreBrokenPipes, printError } from "./terminal.ts";
import { silenceFfiWarning } from "./warnings.ts";

ignoreBrokenPipes();
silenceFfiWarning();
process.on("uncaughtException", (error) => {
	printError(error);
	process.exit(exitStatusOf(error));
});
try {
	process.exitCode = await runProgram(process.argv.slice(2));
} catch (error) {
	printError(error);
	process.exitCode = exitStatusOf(error);
}
