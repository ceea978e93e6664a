/* A lock with waiting, for handles that several threads of the host work on at
 * the same time. Held for a moment, never on the request path, and of no use in
 * a forked child: who held it there is gone. */
#ifndef MET_BASE_MONITOR_H
#define MET_BASE_MONITOR_H

#include <pthread.h>

typedef struct met__monitor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
} met__monitor;

void met__monitor_init(met__monitor *monitor);
/* Nobody is inside or waits; in a forked child never. */
void met__monitor_destroy(met__monitor *monitor);
void met__monitor_enter(met__monitor *monitor);
void met__monitor_leave(met__monitor *monitor);
/* Inside: lets others in until one of them says that something has changed, or
 * for no reason. */
void met__monitor_wait(met__monitor *monitor);
void met__monitor_tell(met__monitor *monitor); /* all who wait */

#endif
