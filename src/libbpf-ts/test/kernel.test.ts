import { enableRunStats, listLinks, listMaps, listPrograms } from '../lib/index.js'
import { callGetuid, kernelTest, openCounter } from './helpers/kernel.js'

kernelTest('what is loaded is listed by id and name', t => {
  using object = openCounter().load()
  using link = object.program('count_typed').attach()
  const { id } = object.program('count_typed').info()
  t.like(
    listPrograms().find(program => program.id === id),
    { name: 'count_typed', type: 'tracing' },
  )
  t.like(
    listMaps().find(map => map.id === object.map('by_process').info().id),
    { name: 'by_process', type: 'hash', keySize: 4, valueSize: 16, maxEntries: 1024 },
  )
  t.like(
    listLinks().find(one => one.id === link.info().id),
    { programId: id },
  )
})

kernelTest('a program counts its runs while statistics are enabled, and only then', t => {
  using object = openCounter().load()
  const program = object.program('count_typed')
  using _link = program.attach()
  callGetuid(10)
  t.is(program.info().runCount, 0n)
  const statistics = enableRunStats()
  callGetuid(10)
  const { runCount, runTimeNs } = program.info()
  t.true(runCount >= 10n)
  t.true(runTimeNs > 0n)
  statistics[Symbol.dispose]()
  statistics[Symbol.dispose]()
  const { runCount: after } = program.info()
  callGetuid(10)
  t.is(program.info().runCount, after)
})
