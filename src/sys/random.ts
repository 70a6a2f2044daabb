export interface RandomSource {
	/** `length` bytes in an array of the caller's own. */
	bytes(length: number): Uint8Array;
	u64(): bigint;
}

/** The most that `crypto.getRandomValues` fills in one call (Web Cryptography, section 10.1.1). */
const CRYPTO_CHUNK = 65536;

function firstU64(bytes: Uint8Array): bigint {
	return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

/** The system's cryptographic random source. */
export function createSecureRandom(): RandomSource {
	const bytes = (length: number): Uint8Array => {
		const filled = new Uint8Array(length);
		for (let at = 0; at < length; at += CRYPTO_CHUNK) crypto.getRandomValues(filled.subarray(at, at + CRYPTO_CHUNK));
		return filled;
	};
	return { bytes, u64: () => firstU64(bytes(8)) };
}

/** The same sequence for the same seed, and predictable: for hash tables and tests, never for secrets. (sfc32, Chris Doty-Humphrey) */
export function createSeededRandom(seed: readonly [bigint, bigint]): RandomSource {
	let a = Number(BigInt.asIntN(32, seed[0]));
	let b = Number(BigInt.asIntN(32, seed[0] >> 32n));
	let c = Number(BigInt.asIntN(32, seed[1])) ^ Number(BigInt.asIntN(32, seed[1] >> 32n));
	let counter = 1;
	const next = (): number => {
		const sum = (((a + b) | 0) + counter) | 0;
		counter = (counter + 1) | 0;
		a = b ^ (b >>> 9);
		b = (c + (c << 3)) | 0;
		c = (((c << 21) | (c >>> 11)) + sum) | 0;
		return sum;
	};
	// The first outputs still show the seed.
	for (let i = 0; i < 12; i++) next();
	const bytes = (length: number): Uint8Array => {
		const filled = new Uint8Array(length);
		let word = 0;
		for (let at = 0; at < length; at++) {
			if ((at & 3) === 0) word = next();
			filled[at] = word >>> ((at & 3) * 8);
		}
		return filled;
	};
	return { bytes, u64: () => firstU64(bytes(8)) };
}
