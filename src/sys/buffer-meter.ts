/** How many bytes of bodies are held in memory, now and at most: what shows that memory does not grow with a body. */
export class BufferMeter {
	current = 0;
	peak = 0;

	/** Adds `bytes`, which is negative when they have left. */
	add(bytes: number): void {
		this.current += bytes;
		if (this.current > this.peak) this.peak = this.current;
	}
}
