/* Mutex and condition variable of the system, which cannot fail in the way in
 * which they are used here. */
#include "base/monitor.h"

void met__monitor_init(met__monitor *monitor)
{
    monitor->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    monitor->changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

void met__monitor_destroy(met__monitor *monitor)
{
    pthread_cond_destroy(&monitor->changed);
    pthread_mutex_destroy(&monitor->lock);
}

void met__monitor_enter(met__monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
}

void met__monitor_leave(met__monitor *monitor)
{
    pthread_mutex_unlock(&monitor->lock);
}

void met__monitor_wait(met__monitor *monitor)
{
    pthread_cond_wait(&monitor->changed, &monitor->lock);
}

void met__monitor_tell(met__monitor *monitor)
{
    pthread_cond_broadcast(&monitor->changed);
}
