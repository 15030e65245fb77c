/* ledger.h - a replicated bank ledger over a protocol of lines: the example of docs/embedding.md.
 *
 *   OPEN name                 OK 0               ERR exists, ERR full
 *   DEPOSIT name amount       OK balance         ERR no account
 *   TRANSFER from to amount   OK balance (from)  ERR no account, ERR not enough
 *   BALANCE name              OK balance         ERR no account
 *   TOTAL                     OK sum
 *   STATUS                    OK node 2 follower leader 1 term 3 applied 97
 *   RAFT order                OK                 (engine/orders.h)
 *   QUIT
 *
 * What is not carried out is told by MOVED host:port, DOWN, BUSY and REFUSED (certainly not) and
 * UNKNOWN (nobody knows). */
#ifndef LEDGER_H
#define LEDGER_H
#include "engine/node.h"

#define LEDGER_ACCOUNTS_MAX 1000
#define LEDGER_NAME_SIZE 16

/* A ledger and its protocol. */
void ledger_serve(struct gd_io *io, struct gd_served *served);
void ledger_put_away(struct gd_served *served);
#endif
