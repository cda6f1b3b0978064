/* Memory made ready ahead of the puts that will use it; only in clients that contribute some. */
#ifndef MCG_TOUCH_H
#define MCG_TOUCH_H

#include <stdbool.h>

bool touch_start(void);
void touch_stop(void);

#endif
