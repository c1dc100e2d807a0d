import { assertExact } from './support/assertions.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { type Load, runLoad } from './support/load.js'
import { type Service, startMemcached, startNginx, startNodeServer, startRedis } from './support/services.js'
import { startMeasuring } from './support/taut.js'

type Case = {
  name: string
  comm: string | RegExp
  protocol: NonNullable<Load['protocol']>
  start: (t: Context) => Promise<Service>
  needs: string[]
}

const CASES: Case[] = [
  {
    name: 'memcached',
    comm: 'memcached',
    protocol: 'memcached',
    start: startMemcached,
    needs: ['memcached'],
  },
  { name: 'Redis', comm: 'redis-server', protocol: 'redis', start: startRedis, needs: ['redis-server'] },
  { name: 'nginx', comm: 'nginx', protocol: 'http', start: startNginx, needs: ['nginx'] },
  { name: 'Node', comm: /./, protocol: 'http', start: startNodeServer, needs: [] },
]

for (const { name, comm, protocol, start, needs } of CASES) {
  kernelTest(
    `counts each request of ${name}`,
    async t => {
      const service = await start(t)
      const measurement = await startMeasuring(t, '--port', service.port)
      await runLoad(t, { port: service.port, protocol, connections: 8, requests: 20_000 })
      const document = await measurement.stop()
      assertExact(t, document, 20_000)
      t.is(document.target.pid, service.pid)
      if (typeof comm === 'string') t.is(document.target.comm, comm)
      else t.regex(document.target.comm ?? '', comm)
      const names = document.stages.map(stage => stage.name)
      for (const stage of ['driver', 'protocol', 'recv', 'app_cpu', 'send'] as const) {
        t.true(names.includes(stage), stage)
      }
    },
    ...needs,
  )
}
