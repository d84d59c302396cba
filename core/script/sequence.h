/* sequence: one client's mail, a handler at a time and in order, also while handlers
 * wait.
 * Does not know: whose mail is next, what is due.
 * Thread: the host's.
 * Owner: nobody; what waits is the client's. */
#ifndef CHARLUA_SCRIPT_SEQUENCE_H
#define CHARLUA_SCRIPT_SEQUENCE_H

#include "script/run.h"

/* Handles what came for `c` (MAIL_OPEN, MAIL_MESSAGE, MAIL_FAULT, MAIL_CLOSED), now or
 * when the handler that waits has ended. The client may be gone afterwards. */
void sequence_take(struct host *h, struct client *c, const struct mail *m);

/* Runs a handler; when it has ended, what its client was waiting for goes on. The client
 * may be gone afterwards. */
void sequence_run(struct host *h, struct run *r);

/* Wakes the handler that waits, with or without its client, with or without a reply. */
void sequence_wake(struct host *h, struct task *task, const struct mail *reply);

/* Those go on whose handler has ended and whose mail was more than a turn's share. */
void sequence_go_on(struct host *h);

#endif
