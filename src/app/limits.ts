/** Bytes of a manifest. Origin: the largest of Spin's own examples has 4 kB. */
export const MAX_MANIFEST_BYTES: number = 64 * 1024;

/** Lines of one statement of a manifest that are tried when the line of a key is looked for; finding the end costs a parse per line. */
export const MAX_STATEMENT_LINES = 256;
