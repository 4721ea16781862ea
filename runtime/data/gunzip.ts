/** Unpacks gzip, where bytes are gzip at all. */
import { malformed } from './tensor.ts'

export async function gunzip(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
    return new Uint8Array(await new Response(unpacked).arrayBuffer())
  } catch {
    return malformed(file, 'its gzip data is damaged or cut off')
  }
}
