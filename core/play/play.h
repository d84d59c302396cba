/* play: the real host among clients that are made up, in a time that is made up: what
 * tests of rules run on. It stands in for a shard.
 * Does not know: sockets, clocks, Lua; testing.c lets scripts drive it.
 * Thread: the caller's.
 * Owner: whoever called play_new. */
#ifndef CHARLUA_PLAY_PLAY_H
#define CHARLUA_PLAY_PLAY_H

#include "base/buf.h"
#include "base/mail.h"
#include "script/host.h"

enum {
    PLAY_CLIENTS_MAX = 100000, /* over the whole play */
    PLAY_TURNS_MAX = 100000,   /* at one instant; then the rules do not come to rest */
};

struct play;

/* `setup` says what the rules get; its inbox, shards, log and stats are the play's own. A
 * play begins at setup->wall. NULL when memory is out. */
struct play *play_new(const struct host_setup *setup);
void play_free(struct play *p);

/* Loads the rules, or loads them again, from `source` (text) or, if that is empty, from
 * the script's file. Returns 0, or -1: the log says why. */
int play_load(struct play *p, struct bytes source);

/* A client comes: `head` is its HTTP request, `subject` that of its certificate,
 * `protocol` its subprotocol (empty: none). Returns its number, from 0, or -1: there are
 * too many. */
int64_t play_open(struct play *p, struct bytes head, const struct addr *addr, bool secure,
                  struct bytes subject, struct bytes protocol);

/* A plain HTTP request comes, `head` and `body`. Returns its number, or -1. */
int64_t play_request(struct play *p, struct bytes head, const struct addr *addr,
                     bool secure, struct bytes body);

/* The status of the response and what MAIL_RESPONSE carries, or 0: there is none yet. */
int play_response(const struct play *p, int64_t request, struct bytes *response);

/* What it says; nothing happens if it is closed. */
void play_message(struct play *p, int64_t client, struct bytes text, bool binary);
void play_hang_up(struct play *p, int64_t client, uint16_t code, struct bytes reason);

/* Takes the next message that it has heard: true, with the payload, valid until the play
 * goes on. */
bool play_hear(struct play *p, int64_t client, struct bytes *text, bool *binary);

/* The close code with which the server closed it and the reason, or 0. */
uint16_t play_closed(const struct play *p, int64_t client, struct bytes *reason);

/* Its id as scripts see it. Slots are given again as a shard gives them (room/slots.c),
 * so that rules and host meet here whatever they would meet there. */
uint64_t play_id(const struct play *p, int64_t client);

/* The subprotocols that the rules speak, each behind a comma. */
struct bytes play_protocols(const struct play *p);

/* Lets the rules do what they have to do now, or within `seconds`, each timer at its
 * time, or until they ask a service. Returns 0, or -1: they do not come to rest. */
int play_advance(struct play *p, double seconds);
/* Takes the next MAIL_FETCH that asks a service; NULL: there is none. Valid until the
 * play goes on. */
const struct mail *play_asked(struct play *p);

/* What the service says to the one of that id; status 0: nothing, and `body` is why. */
void play_answer(struct play *p, uint64_t id, uint16_t status, struct bytes fields,
                 struct bytes body);

double play_now(const struct play *p);

/* Stops the server: on_stop, and then everyone is closed. */
void play_stop(struct play *p);

/* Takes the lines of the log: each "LEVEL LINE" and a NUL. Valid until the play goes on.
 */
struct bytes play_log(struct play *p);

#endif
