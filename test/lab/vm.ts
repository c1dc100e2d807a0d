import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
 * and 1 GB. `acpi` is the file of an ACPI table more. `onOutput` gets all that was written each time there is more. The machine goes with this process.
 */
export const runInVm = async (
  kernel: Kernel,
  script: string,
  { card, acpi, onOutput }: { card?: Card; acpi?: string; onOutput?: (output: string) => void } = {},
): Promise<Outcome> => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-lab-'))
  try {
    const guest = `${prepare(kernel)}\n(\n${script}\n)\necho "${MARK} $?"\necho o >/proc/sysrq-trigger\nwhile :; do :; done\n`
    const initramfs = buildInitramfs(folder, kernel, guest)
    const output = await runQemu(
      [
        ...listArguments(kernel, initramfs),
        ...listCard(card),
        ...(acpi === undefined ? [] : ['-acpitable', `file=${acpi}`]),
      ],
      card?.netns,
      onOutput,
    )
    const status = new RegExp(`^${MARK} (\\d+)$`, 'm').exec(output)?.[1]
    return { status: status === undefined ? null : Number(status), output }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const listArguments = ({ image }: Kernel, initramfs: string): string[] => [
  // With a thread for each CPU, QEMU 7.2 goes on with code that another CPU has rewritten: the kernel switches tracepoints
  // and statistics by rewriting itself behind a breakpoint, and both CPUs then stay at that breakpoint for ever.
  ...['-accel', 'tcg,thread=single', '-cpu', 'max,vendor=GenuineIntel,family=6,model=60'],
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

/** An interrupt for each queue of both directions, for the configuration, and for what a card has besides. */
const listQueues = (queues: number): string => `,mq=on,vectors=${2 * queues + 2}`

const runQemu = (
  args: string[],
  netns: string | undefined,
  onOutput: (output: string) => void = () => undefined,
): Promise<string> =>
  new Promise((resolve, reject) => {
    const command = [
      ...(netns === undefined ? [] : ['ip', 'netns', 'exec', netns]),
      // Whatever becomes of this process, the machine must not stay.
      ...['setpriv', '--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args],
    ]
    const qemu = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
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
