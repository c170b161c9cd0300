# Sends a message and waits for its echo, again and again, with one message in flight.
#   talk.pl serve PORT   echoes TCP and UDP until standard input ends
#   talk.pl ask          for each line "PROTOCOL ADDRESS PORT BYTES COUNT" on standard input, COUNT round trips;
#                        answers "seconds repeated p50 p99", the last two in microseconds, or "failed WHY"
# Nodes have no Python; perl is part of Debian's base.
use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_RCVTIMEO);
use POSIX ();

my $PATIENCE = 2;    # seconds until a datagram without an echo is sent again
my $TRIES    = 5;
# Debian's base has no Time::HiRes. The numbers of clock_gettime: arch/*/include/uapi/asm/unistd.h of Linux.
my $CLOCK_GETTIME = {x86_64 => 228, aarch64 => 113}->{(POSIX::uname())[4]};
my $MONOTONIC     = 1;
$| = 1;
$SIG{PIPE} = "IGNORE";

sub serve {
    my ($port) = @_;
    my $udp = IO::Socket::INET->new(Proto => "udp", LocalPort => $port) or give_up();
    my $tcp = IO::Socket::INET->new(Proto => "tcp", LocalPort => $port, Listen => 8, ReuseAddr => 1)
      or give_up();
    my @children = (start(sub { echo_datagrams($udp) }), start(sub { echo_streams($tcp) }));
    print "ready\n";
    1 while <STDIN>;
    kill "TERM", @children;
}

sub give_up {
    print "failed $!\n";
    exit 1;
}

sub start {
    my ($work) = @_;
    my $child = fork();
    give_up() if !defined $child;
    return $child if $child;
    close STDIN;
    $work->();
    exit;
}

sub echo_datagrams {
    my ($socket) = @_;
    while (defined(my $sender = $socket->recv(my $message, 65536))) {
        $socket->send($message, 0, $sender);
    }
}

sub echo_streams {
    my ($listening) = @_;
    while (my $stream = $listening->accept) {
        setsockopt($stream, IPPROTO_TCP, TCP_NODELAY, 1);
        my $message;
        syswrite($stream, $message) while sysread($stream, $message, 65536);
    }
}

sub ask {
    while (my $line = <STDIN>) {
        my @wanted = split " ", $line;
        my $answer = eval { round_trips(@wanted) };
        print defined $answer ? "$answer\n" : "failed $@";
    }
}

sub round_trips {
    my ($protocol, $address, $port, $bytes, $count) = @_;
    my $socket = IO::Socket::INET->new(
        Proto => $protocol, PeerAddr => $address, PeerPort => $port, Timeout => $PATIENCE * $TRIES
    ) or die "$@\n";
    $socket->blocking(1);
    setsockopt($socket, SOL_SOCKET, SO_RCVTIMEO, pack("l!l!", $PATIENCE, 0));
    setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1) if $protocol eq "tcp";
    my $round_trip = $protocol eq "tcp" ? \&over_stream : \&over_datagrams;
    my ($repeated, @took) = (0);
    my $began = now();
    my $before = $began;
    for my $number (1 .. $count) {
        my $message = pack("N", $number) . "." x ($bytes - 4);
        $repeated += $round_trip->($socket, $message);
        my $now = now();
        push @took, $now - $before;
        $before = $now;
    }
    @took = sort { $a <=> $b } @took;
    return join " ", $before - $began, $repeated, map { int(1e6 * $took[$_ * $#took]) } 0.5, 0.99;
}

sub now {
    my $time = pack("q2", 0, 0);
    syscall($CLOCK_GETTIME, $MONOTONIC, $time) == 0 or die "$!\n";
    my ($seconds, $nanoseconds) = unpack("q2", $time);
    return $seconds + $nanoseconds / 1e9;
}

sub over_datagrams {
    my ($socket, $message) = @_;
    for my $repeated (0 .. $TRIES - 1) {
        $socket->send($message) // die "$!\n";
        while (defined $socket->recv(my $echo, 65536)) {
            return $repeated if $echo eq $message;
        }
    }
    die "no echo: $!\n";
}

sub over_stream {
    my ($socket, $message) = @_;
    syswrite($socket, $message) // die "$!\n";
    for (my $echo = ""; length $echo < length $message;) {
        sysread($socket, $echo, 65536, length $echo) || die "no echo\n";
    }
    return 0;
}

my ($role, @arguments) = @ARGV;
$role eq "serve" ? serve(@arguments) : ask();
