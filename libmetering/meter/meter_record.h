/* What the document and the record of a meter share. */
#ifndef MET_METER_METER_RECORD_H
#define MET_METER_METER_RECORD_H

#include "meter/meter_def.h"

/* The fields a caller writes; errors stick to fields. */
void met__meter_read_body(met__fields *fields, met__arena *arena,
                          met__meter *meter);
/* The whole document, with what the library adds. */
void met__meter_build(met__builder *builder, const met__meter *meter,
                      met__arena *arena);

#endif
