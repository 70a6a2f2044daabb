import { cursorTo, clearLine } from "node:readline";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 80;
const SHOW_AFTER_MS = 1000;

/**
 * Does `work`, and says on standard error what is going on when it takes over a second: a spinner on a terminal, which goes
 * away at the end; one plain line elsewhere. Work that holds the thread shows nothing: it must give way now and then.
 */
export async function withProgress<T>(
	label: string,
	work: () => T | Promise<T>,
	stream: NodeJS.WriteStream = process.stderr,
): Promise<T> {
	let frame = 0;
	let spinner: NodeJS.Timeout | undefined;
	const draw = (): void => {
		cursorTo(stream, 0);
		stream.write(`${FRAMES[frame++ % FRAMES.length]} ${label} `);
	};
	const timer = setTimeout(() => {
		if (!stream.isTTY) {
			stream.write(`${label} …\n`);
			return;
		}
		draw();
		spinner = setInterval(draw, FRAME_MS).unref();
	}, SHOW_AFTER_MS).unref();
	try {
		return await work();
	} finally {
		clearTimeout(timer);
		if (spinner !== undefined) {
			clearInterval(spinner);
			clearLine(stream, 0);
			cursorTo(stream, 0);
		}
	}
}
