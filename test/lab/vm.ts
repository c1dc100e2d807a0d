import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { followFrequency } from './frequency.js'
import { buildInitramfs, type Kernel } from './initramfs.js'

/** The network card of a machine, on a tap device of a network namespace of the host. */
export type Card = { model: 'e1000e' | 'virtio-net-pci'; netns: string; tap: string; queues: number }

/** How a machine ended: the status of its script, null if it did not come that far, and all that it wrote. */
export type Outcome = { status: number | null; output: string }

const MARK = 'lab-status'
const TIMEOUT_MS = 25 * 60_000

/** What a script finds: the kernel's modules, the file systems that taut looks at, and an up loopback. */
const prepare = ({ folder, release }: Kernel): string => `
mkdir -p /lib/modules /sys/fs/bpf
ln -sfn '${folder}/lib/modules/${release}' '/lib/modules/${release}'
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mount -t tmpfs tmpfs /run
mkdir -p /dev/shm /dev/pts && mount -t devpts devpts /dev/pts
ip link set lo up
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
`

/**
 * Boots a kernel in QEMU, without KVM, and runs a script of bash on it, in a writable view of the host's files; two CPUs
 * and 1 GB. `frequencies` is the file of an ACPI table, cpufreq.asl's, by which it has some. Its CPUs take turns, unless
 * they are to run in parallel, for which canRunInParallel has to be true. `onOutput` gets all that was written each time
 * there is more. The machine goes with this process.
 */
export const runInVm = async (
  kernel: Kernel,
  script: string,
  {
    card,
    frequencies,
    parallel = false,
    onOutput,
  }: { card?: Card; frequencies?: string; parallel?: boolean; onOutput?: (output: string) => void } = {},
): Promise<Outcome> => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-lab-'))
  try {
    const guest = `${prepare(kernel)}\n(\n${script}\n)\necho "${MARK} $?"\necho o >/proc/sysrq-trigger\nwhile :; do :; done\n`
    const initramfs = buildInitramfs(folder, kernel, guest)
    const asked = join(folder, 'frequency')
    if (frequencies !== undefined) writeFileSync(asked, '')
    const output = await runQemu(
      [
        ...listArguments(kernel, initramfs, parallel),
        ...listCard(card),
        ...(frequencies === undefined ? [] : listFrequencies(frequencies, asked)),
      ],
      { netns: card?.netns, onOutput, asked: frequencies === undefined ? null : asked },
    )
    const status = new RegExp(`^${MARK} (\\d+)$`, 'm').exec(output)?.[1]
    return { status: status === undefined ? null : Number(status), output }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * With a thread for each CPU, QEMU 7.2 goes on with code that another CPU has rewritten: the kernel switches tracepoints and statistics
 * by rewriting itself behind a breakpoint, and both CPUs then stay at that breakpoint for ever. QEMU 10 does not.
 */
const PARALLEL_SINCE = 10

/** Can CPUs of a machine run in parallel? False as well where there is no QEMU. */
export const canRunInParallel = (): boolean => {
  const { stdout } = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' })
  return Number(/version (\d+)\./.exec(stdout ?? '')?.[1]) >= PARALLEL_SINCE
}

const listArguments = ({ image }: Kernel, initramfs: string, parallel: boolean): string[] => [
  ...['-accel', `tcg,thread=${parallel ? 'multi' : 'single'}`],
  ...['-cpu', 'max,vendor=GenuineIntel,family=6,model=60'],
  ...['-smp', '2', '-m', '1024', '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'],
  ...['-kernel', image, '-initrd', initramfs],
  ...['-append', 'console=ttyS0 quiet loglevel=3 panic=-1 nokaslr'],
  ...['-virtfs', 'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap'],
]

const listCard = (card: Card | undefined): string[] =>
  card === undefined
    ? ['-nic', 'none']
    : [
        ...['-netdev', `tap,id=wire,ifname=${card.tap},script=no,downscript=no,queues=${card.queues}`],
        ...['-device', `${card.model},netdev=wire${card.queues === 1 ? '' : listQueues(card.queues)}`],
      ]

/** What is written to the table's port goes to a file. */
const listFrequencies = (table: string, asked: string): string[] => [
  ...['-acpitable', `file=${table}`],
  ...['-chardev', `file,id=frequency,path=${asked}`],
  ...['-device', 'isa-debugcon,iobase=0x5658,chardev=frequency'],
]

/** An interrupt for each queue of both directions, for the configuration, and for what a card has besides. */
const listQueues = (queues: number): string => `,mq=on,vectors=${2 * queues + 2}`

const runQemu = (
  args: string[],
  {
    netns,
    onOutput = () => undefined,
    asked,
  }: { netns: string | undefined; onOutput: ((output: string) => void) | undefined; asked: string | null },
): Promise<string> =>
  new Promise((resolve, reject) => {
    const command = [
      ...(netns === undefined ? [] : ['ip', 'netns', 'exec', netns]),
      // Whatever becomes of this process, the machine must not stay.
      ...['setpriv', '--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args],
    ]
    const qemu = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
    if (asked !== null) {
      followFrequency(qemu, asked).catch(error => {
        qemu.kill('SIGKILL')
        reject(error)
      })
    }
    const timer = setTimeout(() => qemu.kill('SIGKILL'), TIMEOUT_MS)
    let output = ''
    const add = (text: string): void => {
      output += text.replaceAll('\r', '')
      onOutput(output)
    }
    qemu.stdout.setEncoding('utf8').on('data', add)
    qemu.stderr.setEncoding('utf8').on('data', add)
    qemu.once('error', reject)
    qemu.once('close', () => {
      clearTimeout(timer)
      resolve(output)
    })
  })
