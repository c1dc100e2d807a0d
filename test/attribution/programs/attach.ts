import { BpfObject } from 'libbpf-ts'

/** Programs to attach: at an interface of this process's network namespace, or at the tracepoint they name themselves. */
export type Attachment = {
  object: string
  port: number
  serviceCpu: number
  irq: number
  delayNs: number
  intervalNs: number
  places: (
    | { program: string; hook: 'xdp' | 'ingress' | 'egress'; device: string }
    | { program: string; hook: 'tracepoint' }
  )[]
}

const {
  object: path,
  port,
  serviceCpu,
  irq,
  delayNs,
  intervalNs,
  places,
}: Attachment = JSON.parse(process.argv[2] ?? '')

/** Attaches the programs, prints "ready"; on SIGTERM detaches them and prints one JSON line with what they added up. */
const object = BpfObject.open(path)
for (const [name, program] of object.programs) {
  program.autoload = places.some(place => place.program === name)
}
object.variable('port').set(port)
object.variable('service_cpu').set(serviceCpu)
object.variable('irq').set(irq)
object.variable('delay_ns').set(BigInt(delayNs))
object.variable('interval_ns').set(BigInt(intervalNs))
object.load()
for (const place of places) {
  const program = object.program(place.program)
  if (place.hook === 'tracepoint') program.attach()
  else if (place.hook === 'xdp') program.attachXdp(place.device)
  else program.attachTc({ interface: place.device, direction: place.hook })
}

const idle = setInterval(() => undefined, 1 << 30)
process.once('SIGTERM', () => {
  const account = {
    sum_ns: String(object.variable('sum_ns').get()),
    times: Number(object.variable('times').get()),
  }
  object.close()
  clearInterval(idle)
  process.stdout.write(`${JSON.stringify(account)}\n`)
})
process.stdout.write('ready\n')
