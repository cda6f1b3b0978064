/* The measurements, and the output of a figure with its target. */
#ifndef MCG_BENCH_FIGURES_H
#define MCG_BENCH_FIGURES_H

#include "mmc_abi.h"

#define KIB 1024ull
#define BLOCK_BYTES 8994816ull
#define BLOCKS 24
#define SMALL_OBJECTS 20000

double now_us(void);
double median(double *values, size_t count); /* sorts them */
void require(bool condition, const char *what);

void report(const char *what, double value, const char *unit, const char *target, bool met);
void note(const char *what, double value, const char *unit);
bool all_targets_met(void);

mmc_buffer buffer_of(void *bytes, uint64_t length);
mmc_put_options one_replica(void);
void small_key(char *key, size_t room, int index);
void block_key(char *key, size_t room, int index);

/* Gets by one thread and by two. `bytes` has space for two blocks, `other` holds BLOCKS blocks. */
void measure_threads(char *bytes, char *other);

#endif
