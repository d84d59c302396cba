/* run: one call of a handler, from its arguments to its commit or rollback.
 * Does not know: where mail comes from, which message is next.
 * Thread: the host's.
 * Owner: host.c, on its stack. */
#ifndef CHARLUA_SCRIPT_RUN_H
#define CHARLUA_SCRIPT_RUN_H

#include "script/task.h"

/* One call and what came of it. */
struct run {
    enum run_kind kind;
    struct client *client; /* NULL for timers and events */
    struct task *task;     /* of a RESUME; else set once there is one */
    struct bytes data;     /* the message, the mail of an open, or the close reason */
    size_t head_len;       /* OPEN: parts of the data */
    size_t subject_len;
    struct asked *asked;     /* the request that it responds to, or NULL */
    const struct addr *from; /* REQUEST: whence */
    bool secure;
    uint64_t timer;
    const char *event; /* EVENT: the field of the rules */
    uint16_t code;
    bool binary;
    const struct mail *reply;    /* RESUME: of the service that it asked, or NULL */
    task_push_reply *push_reply; /* RESUME: with what its wait turns that into values */
    const char *nothing; /* RESUME: why what it waited for does not come, or NULL */
    /* out */
    char name[HANDLER_NAME_MAX]; /* of the handler, for the log: like on.say */
    enum run_kind handler;       /* the kind that a RESUME goes on with, else the same */
    const char *protocol_error;  /* the message was no business of the script's */
    bool too_deep;               /* and why: its JSON is nested too deeply */
    bool yielded, failed, refused;
    bool no_memory, expired; /* and why it failed: the script's memory, or its time */
    uint16_t refuse_code;
    char refuse_reason[256];
    char error[VM_ERROR_SIZE];
};

/* Runs the handler until it ends (true) or waits (false): then r->task is to be resumed.
 * What it did is committed or rolled back, its failure logged and its client told. */
bool run_handler(struct host *h, struct run *r);

/* Runs the rules' function `event` (on_start, on_reload, on_stop), if there is one.
 * Returns its task if it waits, else NULL. */
struct task *run_event(struct host *h, const char *event);

/* Tells `c` that its message came to nothing; committed at once. */
void run_send_error(struct host *h, struct client *c, const char *what);

#endif
