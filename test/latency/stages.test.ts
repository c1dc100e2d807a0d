import test from 'ava'
import { describeStage, isInTotal, STAGE_COUNT, STAGES, STAGES_OF } from '../../src/latency/stages.js'

test('there are fifteen stages, and the acknowledgement alone is outside the total', t => {
  t.is(STAGE_COUNT, 15)
  t.is(new Set(STAGES).size, 15)
  t.deepEqual(
    STAGES.filter(stage => !isInTotal(stage)),
    ['ack'],
  )
})

test('a service works between recv and send, a client waits for its peer between send and recv', t => {
  t.is(STAGES_OF.server.indexOf('app_cpu'), STAGES_OF.server.indexOf('body') + 1)
  t.false(STAGES_OF.server.includes('peer'))
  t.deepEqual(STAGES_OF.client.slice(0, 4), ['send', 'qdisc', 'peer', 'irq'])
  t.is(new Set(STAGES_OF.client).size, STAGES_OF.client.length)
  t.false(STAGES_OF.client.includes('app_cpu'))
})

test('every stage has a meaning, which may differ for a client', t => {
  for (const stage of STAGES) t.true(describeStage(stage, 'server').length > 0)
  t.regex(describeStage('qdisc', 'server'), /reply/)
  t.regex(describeStage('qdisc', 'client'), /request/)
  t.is(describeStage('recv', 'client'), describeStage('recv', 'server'))
})
