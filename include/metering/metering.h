/* Everything: includes every other header. */
#ifndef METERING_METERING_H
#define METERING_METERING_H

#include "metering/billing.h"
#include "metering/catalog.h"
#include "metering/customer.h"
#include "metering/decimal.h"
#include "metering/entitlement.h"
#include "metering/error.h"
#include "metering/event.h"
#include "metering/export.h"
#include "metering/fault.h"
#include "metering/gateway.h"
#include "metering/grant.h"
#include "metering/invoice.h"
#include "metering/limiter.h"
#include "metering/limiter_key.h"
#include "metering/meter.h"
#include "metering/notice.h"
#include "metering/platform.h"
#include "metering/rating.h"
#include "metering/recorder.h"
#include "metering/stats.h"
#include "metering/store.h"
#include "metering/time.h"
#include "metering/types.h"
#include "metering/version.h"

#endif
