import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { type Running, startProcess } from './processes.js'

/** What differs between one nginx of the tests and another: processes, connections of each, lines of its configuration. */
export type NginxOptions = {
  processes: number
  connections: number
  keepalive?: string
  /** The form of a line in the file `access.log` of its folder; without it there is none. */
  log?: string
  server: string
}

/** Starts nginx with a folder of its own, where it writes the file `pid` once it listens. */
export const runNginx = async (
  t: Context,
  { processes, connections, keepalive = '', log, server }: NginxOptions,
  netns?: string,
): Promise<Running & { folder: string }> => {
  const folder = await createFolder(t)
  const config = join(folder, 'nginx.conf')
  const accessLog =
    log === undefined ? 'access_log off;' : `log_format own '${log}'; access_log ${folder}/access.log own;`
  await writeFile(
    config,
    `daemon off; pid ${folder}/pid; error_log stderr; worker_processes ${processes};
events { worker_connections ${connections}; }
http {
  ${accessLog}
  keepalive_requests 1000000; ${keepalive}
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join(' ')}
  server { ${server} }
}
`,
  )
  return { ...(await startProcess(t, 'nginx', ['-p', folder, '-c', config], { netns })), folder }
}
