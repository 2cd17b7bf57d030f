/**
 * Receive buffers of wireguard-go's UDP sockets. A program that is to read 10,000 packets a second and has to wait 30 ms for a processor
 * loses some of them with the kernel's default of 208 KiB (277 small packets). Releases since 2023 ask for 7 MiB themselves;
 * older ones, Debian 12's among them, leave the default, and a file cannot tell them otherwise. So their sockets are taken over with
 * pidfd_getfd(2), which Node cannot call and Perl (of which Debian's every installation has the base) can.
 */
import { ThalwegError } from '../../protocol/error.ts';
import type { CommandRunner } from '../command-runner.ts';

/** Half a second of 10,000 small packets a second, 70 ms of large ones at 300 Mbit/s: more would only make them late. */
export const RECEIVE_BUFFER_BYTES = 2 * 1024 * 1024;

/**
 * Arguments: a device, or nothing for every wireguard-go in this network namespace, and the bytes. Prints a line for each UDP
 * socket, `<bytes before> <bytes now>`, as the kernel counts: twice what is asked for. A larger buffer is left as it is.
 */
const SCRIPT = `use strict;
use Socket qw(AF_UNIX SOL_SOCKET SO_TYPE SO_RCVBUF SOCK_DGRAM sockaddr_family);
my ($device, $wanted) = @ARGV;
my ($PIDFD_OPEN, $PIDFD_GETFD, $SO_RCVBUFFORCE) = (434, 438, 33);
my $namespace = readlink('/proc/self/ns/net') // die "no /proc\\n";
sub option { my ($socket, $name) = @_; return unpack('i', getsockopt($socket, SOL_SOCKET, $name) // pack('i', 0)); }
sub is_udp {
  my $address = getsockname($_[0]);
  return option($_[0], SO_TYPE) == SOCK_DGRAM && defined $address && sockaddr_family($address) != AF_UNIX;
}
sub is_meant {
  open(my $file, '<', "$_[0]/cmdline") or return 0;
  my ($program, $of) = split(/\\0/, <$file> // '');
  return ($program // '') =~ m{(^|/)wireguard-go$} && ($device eq '' || ($of // '') eq $device)
    && (readlink("$_[0]/ns/net") // '') eq $namespace;
}
sub widen {
  my ($folder) = @_;
  my ($pid) = $folder =~ /(\\d+)$/;
  my $pidfd = syscall($PIDFD_OPEN, $pid + 0, 0);
  die "pidfd_open: $!\\n" if $pidfd < 0;
  my $sockets = 0;
  for my $link (glob("$folder/fd/*")) {
    next unless (readlink($link) // '') =~ /^socket:/;
    my ($number) = $link =~ /(\\d+)$/;
    my $copy = syscall($PIDFD_GETFD, $pidfd, $number + 0, 0);
    next if $copy < 0 && $!{EBADF};
    die "pidfd_getfd: $!\\n" if $copy < 0;
    open(my $socket, '+<&=', $copy) or next;
    next unless is_udp($socket);
    $sockets++;
    my $before = option($socket, SO_RCVBUF);
    next if $before >= 2 * $wanted;
    setsockopt($socket, SOL_SOCKET, $SO_RCVBUFFORCE, pack('i', $wanted)) or die "SO_RCVBUFFORCE: $!\\n";
    printf "%d %d\\n", $before, option($socket, SO_RCVBUF);
  }
  return $sockets;
}
# It opens them when it hears that its device is up: one for IPv4, then one for IPv6 where there is IPv6.
for my $folder (grep { is_meant($_) } glob('/proc/[0-9]*')) {
  for my $try (1 .. 50) {
    my $sockets = widen($folder);
    last if $sockets > 1 || ($sockets > 0 && $try > 2);
    select(undef, undef, undef, 0.02);
  }
}
`;

/**
 * Widens what is smaller, of the wireguard-go of one device or of all in the runner's network namespace; to be done anew whenever
 * it has opened its sockets, that is when its device went up or got another port. Returns a line per socket that was widened, or
 * why none can be: no Perl, a kernel before 5.6, no right to (CAP_SYS_PTRACE, CAP_NET_ADMIN).
 */
export async function widenReceiveBuffers(
  runner: Pick<CommandRunner, 'run'>,
  device = '',
): Promise<{ readonly changes: readonly string[] } | { readonly reason: string }> {
  try {
    const result = await runner.run(['perl', '-', device, String(RECEIVE_BUFFER_BYTES)], { stdin: SCRIPT });
    if (result.exitCode !== 0) return { reason: result.stderr.split('\n')[0] ?? '' };
    return { changes: result.stdout.split('\n').flatMap(describeSocket) };
  } catch (error) {
    if (error instanceof ThalwegError) return { reason: error.message };
    throw error;
  }
}

function describeSocket(line: string): readonly string[] {
  const [before = 0, now = 0] = line.split(' ').map(Number);
  return now > before ? [`wireguard receive buffer ${before} -> ${now} bytes`] : [];
}
