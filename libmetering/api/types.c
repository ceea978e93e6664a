/* types.h: giving back what was handed out. */
#include "metering/types.h"

#include "base/bytes.h"

void met_buffer_release(met_buffer *buffer)
{
    met__buffer_take_back(buffer);
}
