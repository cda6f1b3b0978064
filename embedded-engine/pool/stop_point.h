/* A point at which a test build of the engine can stop its process; empty in other builds. */
#ifndef MCG_STOP_POINT_H
#define MCG_STOP_POINT_H

#ifdef MCG_STOP_POINTS
void stop_point(void);
#else
static inline void stop_point(void) {
}
#endif

#endif
