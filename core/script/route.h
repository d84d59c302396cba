/* route: a plain HTTP request to the handler of its route in app.http, and what that
 * returns to its response. Does not know: clients, sockets, bodies in part. Thread: the
 * host's. Owner: host.c, which keeps each struct asked until its handler has ended. */
#ifndef CHARLUA_SCRIPT_ROUTE_H
#define CHARLUA_SCRIPT_ROUTE_H

#include "script/run.h"

/* Tells the shards the routes of the app on top. Raises for a key that is no route.
 * [-0, +0] */
void route_load(lua_State *L, struct host *h);

/* The request that has come as `m` (MAIL_REQUEST); run it with `r`, which is filled in
 * for that. NULL when memory is out: then a 503 is staged. */
struct asked *route_begin(struct host *h, const struct mail *m, struct run *r);

/* Its handler has ended. */
void route_end(struct host *h, struct asked *a);

/* Pushes the handler of the run's request and that request. False, with a 404 staged:
 * the rules that had the route have gone. [-0, +2|0] */
bool route_push(lua_State *L, struct run *r);

/* Stages what the handler returned, the `results` values on top of its thread `co`, as
 * the response. Raises when they are none. [co: -results, +0] */
void route_respond(lua_State *L, struct asked *a, lua_State *co, int results);

/* The handler has failed: the response is a 500, committed at once. Without memory for
 * that h->owes is set. */
void route_fail(struct host *h, struct asked *a);

/* Tries that again for those who did not get it. */
void route_fail_again(struct host *h);

#endif
