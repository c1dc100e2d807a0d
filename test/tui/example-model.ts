import type { LiveModel, LiveService } from '../../src/tui/model.js'
import { exampleDocument } from '../latency/example-document.js'

const document = exampleDocument()

/** The service that is traced in the example. */
export const tracedService: LiveService = {
  ...document.target,
  netns: 1,
  readsPerSecond: 40_210,
  chosen: true,
}

/** Another service with little to do. */
export const quietService: LiveService = {
  port: 6379,
  protocol: 'tcp',
  comm: 'redis-server',
  pid: 812,
  netns: 1,
  readsPerSecond: 12,
  chosen: false,
}

/** Some services as they listen on a small machine. */
export const exampleServices: LiveService[] = [
  tracedService,
  quietService,
  { port: 80, protocol: 'tcp', comm: 'nginx', pid: 1201, netns: 1, readsPerSecond: 0, chosen: false },
  { port: 53, protocol: 'udp', comm: null, pid: null, netns: 1, readsPerSecond: null, chosen: false },
]

/** A model as a running measurement gives it, with some of it changed. */
export const exampleModel = (changes: Partial<LiveModel> = {}): LiveModel => ({
  services: exampleServices,
  target: document.target,
  losses: { lost: document.lost, unanswered: document.unanswered },
  document,
  seconds: 12,
  status: 'tracing',
  ...changes,
})
