/* transaction: commit and rollback of what a handler did.
 * Does not know: which handler, and why it failed.
 * Thread: the host's.
 * Owner: nobody. */
#ifndef CHARLUA_SCRIPT_TRANSACTION_H
#define CHARLUA_SCRIPT_TRANSACTION_H

struct host;
struct timer;

/* Staged effects for good, or as if they had never been. */
void transaction_commit(struct host *h);
void transaction_rollback(struct host *h);

/* Takes a timer out, and what the registry holds for it. Never raises. */
void transaction_drop_timer(struct host *h, struct timer *t);

#endif
