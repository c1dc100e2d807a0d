import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { startProcess } from './processes.js'
import { waitFor } from './wait.js'

/** A packet with payload as tcpdump saw it; the time is the wall clock's, in nanoseconds. */
type Packet = { at: bigint; fromService: boolean; peer: number }

/** A running tcpdump. `readExchanges` waits until it has so many requests and replies, and gives how long each took. */
export type Capture = { readExchanges: (count: number) => Promise<number[]> }

/** More than the headers of a packet. */
const SNAP_BYTES = 128
/** In KiB: room for all that a test sends, for tcpdump gets no more of a CPU than others do. */
const BUFFER_KIB = 16384

/** Starts tcpdump on an interface of a network namespace, for a service's port, and waits until it captures. */
export const startCapture = async (
  t: Context,
  { netns, device, port }: { netns: string; device: string; port: number },
): Promise<Capture> => {
  const file = join(await createFolder(t), 'wire.pcap')
  const output = ['-w', file, '-U', '-Z', 'root', '--time-stamp-precision=nano']
  const size = ['-s', SNAP_BYTES, '-B', BUFFER_KIB]
  const running = await startProcess(
    t,
    'tcpdump',
    ['-i', device, '-n', ...output, ...size, `tcp port ${port}`],
    { netns },
  )
  const read = async (): Promise<Buffer> => {
    const { exitCode, signalCode } = running.child
    if (exitCode !== null || signalCode !== null) throw new Error((await running.ended).stderr)
    return readFile(file).catch(() => Buffer.alloc(0))
  }
  // It writes the file's header once it listens.
  await waitFor('tcpdump', async () => ((await read()).length >= FILE_HEADER_BYTES ? true : null))
  const readExchanges = (count: number): Promise<number[]> =>
    waitFor(`${count} replies in what tcpdump writes`, async () => {
      const packets = parsePackets(await read(), port)
      return packets.filter(({ fromService }) => fromService).length < count ? null : matchReplies(packets)
    })
  return { readExchanges }
}

const FILE_HEADER_BYTES = 24
const PACKET_HEADER_BYTES = 16
const NANOSECOND_FILE = 0xa1b23c4d
const ETHERNET_BYTES = 14
const ETHERNET = 1

/** Gives the packets of IPv4 that carry payload, of a file that may still be written. */
const parsePackets = (file: Buffer, port: number): Packet[] => {
  if (file.readUInt32LE(0) !== NANOSECOND_FILE || file.readUInt32LE(20) !== ETHERNET) {
    throw new Error('tcpdump wrote another format')
  }
  const packets: Packet[] = []
  let offset = FILE_HEADER_BYTES
  while (offset + PACKET_HEADER_BYTES <= file.length) {
    const at = BigInt(file.readUInt32LE(offset)) * 1_000_000_000n + BigInt(file.readUInt32LE(offset + 4))
    const start = offset + PACKET_HEADER_BYTES
    const end = start + file.readUInt32LE(offset + 8)
    if (end > file.length) break
    const ip = file.subarray(start + ETHERNET_BYTES, end)
    const tcp = ip.subarray((ip.readUInt8(0) & 15) * 4)
    const payload = ip.readUInt16BE(2) - (ip.length - tcp.length) - (tcp.readUInt8(12) >> 4) * 4
    const [source, destination] = [tcp.readUInt16BE(0), tcp.readUInt16BE(2)]
    const fromService = source === port
    if (payload > 0) packets.push({ at, fromService, peer: fromService ? destination : source })
    offset = end
  }
  return packets
}

/** Gives the time from each request to its reply, in nanoseconds; on each connection they have to take turns. */
const matchReplies = (packets: readonly Packet[]): number[] => {
  const requests = new Map<number, bigint>()
  return packets.flatMap(({ at, fromService, peer }) => {
    const request = requests.get(peer)
    if (fromService === (request === undefined)) throw new Error('requests and replies do not take turns')
    if (request === undefined) {
      requests.set(peer, at)
      return []
    }
    requests.delete(peer)
    return [Number(at - request)]
  })
}
