const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of well-formed UTF-8; `undefined` where it is not well-formed. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
	try {
		return strict.decode(bytes);
	} catch {
		return undefined;
	}
}

/** Lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
	return encoder.encode(text);
}
