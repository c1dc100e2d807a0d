import test from 'ava'
import { isInTotal, STAGE_COUNT, STAGE_MEANINGS, STAGES } from '../../src/latency/stages.js'

test('there are fourteen stages, and the acknowledgement comes last, outside the total', t => {
  t.is(STAGE_COUNT, 14)
  t.is(new Set(STAGES).size, 14)
  t.deepEqual(
    STAGES.filter(stage => !isInTotal(stage)),
    ['ack'],
  )
  t.is(STAGES.at(-1), 'ack')
})

test('every stage has a meaning, in order', t => {
  t.deepEqual(Object.keys(STAGE_MEANINGS), [...STAGES])
})
