import test from 'ava'
import { followService, moveCursor, scrollTo } from '../../src/tui/cursor.js'
import { exampleServices } from './example-model.js'

test('the cursor starts at the service that is traced and follows its own when the order changes', t => {
  const turned = exampleServices.toReversed()
  t.is(followService(exampleServices, undefined), 0)
  t.is(followService(turned, undefined), 3)
  t.is(followService(turned, exampleServices[1]), 2)
})

test('a service of the same port and process in another network namespace is another one', t => {
  const [first, ...others] = exampleServices
  if (first === undefined) return t.fail()
  const twin = { ...first, netns: 2 }
  t.is(followService([twin, first, ...others], first), 1)
  t.is(followService([first, twin, ...others], twin), 1)
  // As where nobody may see the process.
  t.is(
    followService(
      [
        { ...twin, pid: null },
        { ...first, pid: null },
      ],
      { ...first, pid: null },
    ),
    1,
  )
})

test('the cursor goes to the top when its service is gone', t => {
  t.is(followService(exampleServices.slice(2), exampleServices[1]), 0)
  t.is(followService([], exampleServices[1]), 0)
})

test('the cursor stays inside the list', t => {
  t.is(moveCursor(0, -1, 4), 0)
  t.is(moveCursor(3, 1, 4), 3)
  t.is(moveCursor(1, 1, 4), 2)
  t.is(moveCursor(0, 1, 0), 0)
})

test('a list scrolls no further than its ends', t => {
  t.is(scrollTo(0, 10, 4), 0)
  t.is(scrollTo(5, 10, 4), 3)
  t.is(scrollTo(9, 10, 4), 6)
  t.is(scrollTo(2, 3, 4), 0)
})
