/** What the tests of this part ask of V8: it is the judge of what the encoder writes. `engine` is above this part. */
interface Judge {
	validate(bytes: Uint8Array): boolean;
	readonly Module: new (bytes: Uint8Array) => object;
	readonly Instance: new (
		module: object,
		imports: Record<string, Record<string, unknown>>,
	) => { readonly exports: Readonly<Record<string, (...args: number[]) => number>> };
}

export const V8: Judge = (globalThis as unknown as { WebAssembly: Judge }).WebAssembly;
