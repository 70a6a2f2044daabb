import { styleText } from "node:util";

export function heading(text: string): void {
	console.log(`\n${styleText("bold", `== ${text}`)}`);
}

export function formatSeconds(milliseconds: number): string {
	return `${(milliseconds / 1000).toFixed(1)} s`;
}
