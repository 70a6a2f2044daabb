const name = "tenant-0000000";
const table = Uint32Array.from({ length: 256 }, (_, i) => {
	let crc = i;
	for (let k = 0; k < 8; k++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
	return crc;
});
function checksum(text) {
	let crc = ~0;
	for (const byte of new TextEncoder().encode(text)) crc = table[(crc ^ byte) & 255] ^ (crc >>> 8);
	return ~crc >>> 0;
}
export default { fetch: () => Response.json({ app: name, checksum: checksum(`of ${name}`) }) };
