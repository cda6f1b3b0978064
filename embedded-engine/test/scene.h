/* A new pool for each case, and child processes that are stopped or killed at a chosen moment. */
#ifndef MCG_TEST_SCENE_H
#define MCG_TEST_SCENE_H

#include <stdatomic.h>

#include "check.h"

#define MIB (1ull << 20)
#define BIG (16 * MIB) /* a copy of this size takes long enough to be stopped in the middle */

struct scene {
  char pool[64];
  struct board *board;
  char *shared; /* BIG bytes that parent and children share */
};

#define RECOVERY_MS 100
#define CHILD_SLOT 0 /* slot of a child that joins before the parent */

/* Limit after a kill, without the time that the kernel needs to end the process. */
#define WITHIN_RECOVERY(condition)                                \
  do {                                                            \
    int64_t killed_ms_ = now_ms();                                \
    while (!(condition)) {                                        \
      CHECK(now_ms() - killed_ms_ < RECOVERY_MS + SLACK_MS);      \
      pause_ms(1);                                                \
    }                                                             \
  } while (0)

/* Added to time limits: sanitizers and a busy machine slow all clients down. */
#define SLACK_MS (getenv("ENGINE_TEST_SLACK_MS") ? atoi(getenv("ENGINE_TEST_SLACK_MS")) : 0)

extern struct scene scene;

void scene_begin(uint64_t bytes);
void scene_end(void); /* checks that the pool has been removed */

void say_step(int step);
void wait_for_step(int step);

void stop(pid_t child);
void resume(pid_t child);

/* Stops and continues the child until the condition holds while it is stopped. */
void stop_while(pid_t child, bool (*is_so)(void));

/* A client that writes `scene.shared` to "big" and removes it, until step 2; ends after step 4. */
void write_big_repeatedly(void *context);
bool big_is_half_written(void);

/* A client that reads "big" (bytes of seed 7) until step 3; ends after step 5. */
void read_big_repeatedly(void *context);
bool big_is_half_read(void);

/* A client that only stays in the pool, from step 1 to step 2. */
void stay(void *context);

/* A client that locks the shard of "one key", which does not exist, until it is killed. */
void ask_for_one_key(void *context);

struct lock;
bool child_holds(const struct lock *lock);
bool child_holds_a_shard(void);

#endif
