/** The kernel's count of datagrams that found a socket's receive buffer full. */

/**
 * Sum of the last column (`drops`) over the sockets bound to `port` in the text of /proc/net/udp or udp6:
 *
 *   sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref pointer drops
 *   12: 00000000:2328 00000000:0000 07 ...                                                                   0
 */
export function udpDrops(text: string, port: number): number {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  let drops = 0;
  for (const line of text.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    if (columns[1]?.split(':')[1] === wanted) drops += Number(columns.at(-1)) || 0;
  }
  return drops;
}
