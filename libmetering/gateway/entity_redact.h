/* What a backup without secrets leaves out. */
#ifndef MET_GATEWAY_ENTITY_REDACT_H
#define MET_GATEWAY_ENTITY_REDACT_H

#include "store/store_open.h"

met__backup_filter met__entity_redact;

#endif
