/** A port as the option `--port` takes it: a number, with the protocol behind it where that is not TCP. */
export const formatPort = ({ port, protocol }: { port: number; protocol: 'tcp' | 'udp' }): string =>
  protocol === 'tcp' ? `${port}` : `${port}/${protocol}`
