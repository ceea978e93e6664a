/* What an admitted request becomes: an event with Kong's names. */
#ifndef MET_GATEWAY_EVENT_H
#define MET_GATEWAY_EVENT_H

#define MET__EVENT_TYPE_REQUEST "kong.api_request"

#endif
