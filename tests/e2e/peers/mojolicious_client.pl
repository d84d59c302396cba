# mojolicious_client.pl: the cases of peers/README.md by Mojolicious' user agent.
#
# Like Tornado it compresses with the context of its earlier messages, whatever was agreed.
use strict;
use warnings;
use utf8;
use Mojo::JSON qw(decode_json encode_json);
use Mojo::Promise;
use Mojo::UserAgent;
use Mojo::WebSocket qw(WS_CONTINUATION WS_TEXT);

my ($chat, $echo, $ca) = @ARGV;
$ENV{MOJO_MAX_WEBSOCKET_SIZE} = 16 * 1024 * 1024;
my $agent = Mojo::UserAgent->new(ca => $ca, inactivity_timeout => 60, connect_timeout => 60);
$| = 1;

# Opens a socket to $url. Returns a promise of it.
sub opened {
  my $url = shift;
  return $agent->websocket_p($url => {'Sec-WebSocket-Extensions' => 'permessage-deflate'});
}

# Returns a promise of the next message that $wanted likes; a close breaks it.
sub heard {
  my ($socket, $event, $wanted) = @_;
  my $promise = Mojo::Promise->new;
  my ($hear, $end);
  $end = $socket->on(finish => sub { $promise->reject("closed with $_[1] " . ($_[2] // '')) });
  $hear = $socket->on($event => sub {
    my ($self, $message) = @_;
    return if $wanted && !$wanted->($message);
    $self->unsubscribe($event => $hear)->unsubscribe(finish => $end);
    $promise->resolve($message);
  });
  return $promise;
}

sub ended {
  my $socket = shift;
  my $promise = Mojo::Promise->new;
  $socket->on(finish => sub { $promise->resolve($_[1], $_[2]) });
  return $promise;
}

# Sends $frame and hears $message, as it is on the wire, again.
sub echoes {
  my ($socket, $event, $frame, $message) = @_;
  my $answer = heard($socket, $event);
  $socket->send($frame);
  return $answer->then(sub { die "another message came back\n" if $_[0] ne $message });
}

# Runs $step for each of @rest, each when the one before has ended.
sub in_order {
  my ($step, @rest) = @_;
  my $promise = Mojo::Promise->resolve;
  for my $one (@rest) { $promise = $promise->then(sub { $step->($one) }) }
  return $promise;
}

my @cases = (
  chat => sub {
    return opened($chat)->then(sub {
      my $socket = shift;
      my $login = heard($socket, 'text', sub { decode_json($_[0])->{type} eq 'login' });
      $socket->send({json => {type => 'login', name => 'Ana'}});
      return $login->then(sub {
        in_order(sub {
          my $content = "hello $_[0]";
          my $said = heard($socket, 'text');
          $socket->send({json => {type => 'say', to_uid => 'all', content => $content}});
          return $said->then(sub { die "$_[0]\n" if decode_json($_[0])->{content} ne $content });
        }, 1 .. 5);
      });
    });
  },
  alike => sub {
    return opened($echo)->then(sub {
      my $socket = shift;
      die "deflate was not negotiated\n" if !$socket->compressed;
      return in_order(sub {
        my $text = "message $_[0]: " . 'the same words again and again, ' x 60;
        return echoes($socket, 'text', {text => $text}, $text);
      }, 1 .. 5);
    });
  },
  big => sub {
    return opened($echo)->then(sub {
      my $socket = shift;
      my $text = join '', map {"$_ words "} 1 .. 50_000;
      my $data = join('', map {chr} 0 .. 255) x 3000;
      return echoes($socket, 'text', {text => $text}, $text)
        ->then(sub { echoes($socket, 'binary', {binary => $data}, $data) });
    });
  },
  fragments => sub {
    return opened($echo)->then(sub {
      my $socket = shift;
      my $answer = heard($socket, 'text');
      $socket->send([$_ == 10, 0, 0, 0, $_ == 1 ? WS_TEXT : WS_CONTINUATION, "piece $_ "]) for 1 .. 10;
      return $answer->then(sub { die "$_[0]\n" if $_[0] ne join '', map {"piece $_ "} 1 .. 10 });
    });
  },
  leaves => sub {
    return opened($echo)->then(sub {
      my $socket = shift;
      my $end = ended($socket);
      return echoes($socket, 'text', {text => 'before'}, 'before')->then(sub {
        $socket->finish(4001, 'mojolicious');
        return $end;
      })->then(sub { die "closed with $_[0]\n" if $_[0] != 4001 });
    });
  },
  sent_away => sub {
    return opened($echo)->then(sub {
      my $socket = shift;
      my $end = ended($socket);
      $socket->send('send me away');
      return $end->then(sub { die "closed with $_[0] $_[1]\n" if "$_[0] $_[1]" ne '4005 away' });
    });
  },
);
while (my ($name, $case) = splice @cases, 0, 2) {
  $case->()->then(sub { print "$name ok\n" }, sub { print "$name failed: $_[0]\n" =~ s/\n(?=.)/ /gr })->wait;
}
