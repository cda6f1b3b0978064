/* The effect of a killed client on the others, at the worst moments. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool.h"
#include "programs.h"
#include "scene.h"

static uint64_t pool_used_bytes(void) {
  return pool_measure_use().used_bytes;
}

/* The memory that the pool's file uses in /dev/shm. */
static uint64_t pool_backed_bytes(void) {
  struct stat status;
  CHECK(fstat(pool.descriptor, &status) == 0);
  return (uint64_t)status.st_blocks * 512;
}

static void a_killed_writer_takes_its_half_written_key_along(void) {
  char out[10];
  scene_begin(2 * BIG);
  pid_t child = spawn(write_big_repeatedly, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  stop_while(child, big_is_half_written);
  kill_now(child);
  WITHIN_RECOVERY(mmcc_exist("big", 0) == MMC_UNMATCHED_KEY);
  CHECK_CODE(put_bytes("big", "0123456789", 10), MMC_OK);
  CHECK_CODE(get_bytes("big", out, 10), MMC_OK);
  CHECK(memcmp(out, "0123456789", 10) == 0);
  mmc_uninit();
  scene_end();
}

static void stay_until_killed(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  say_step(1);
  for (;;) pause();
}

/* The writer is alive, the owner of its target is dead: the put may succeed or fail, but must end. */
static void write_into_anothers_memory(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  say_step(2);
  mmc_buffer buffer = buffer_of(scene.shared, BIG);
  while (atomic_load(&scene.board->step[0]) == 2) {
    atomic_fetch_add(&scene.board->step[1], 1);
    int32_t code = mmcc_put("big", &buffer, options_preferring(1, 0, -1), 0);
    CHECK(code == MMC_OK || code == MMC_ERROR);
    mmcc_remove("big", 0);
  }
  fill(scene.shared, BIG, 9);
  CHECK_CODE(put_bytes("mine", scene.shared, BIG), MMC_OK);
  CHECK_CODE(get_bytes("mine", scene.shared, BIG), MMC_OK);
  CHECK(is_filled(scene.shared, BIG, 9));
  mmc_uninit();
}

static void a_writer_survives_the_death_of_the_memory_it_writes_to(void) {
  scene_begin(2 * BIG);
  pid_t owner = spawn(stay_until_killed, NULL);
  wait_for_step(1);
  pid_t child = spawn(write_into_anothers_memory, NULL);
  wait_for_step(2);
  UNTIL(atomic_load(&scene.board->step[1]) > 0); /* in the middle of a put, most likely */
  kill_now(owner);
  pause_ms(150);
  say_step(3);
  expect_success(child);
  scene_end();
}

static void own_and_replicate(void *context) {
  char bytes[1000];
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  say_step(1);
  wait_for_step(2);
  mmc_buffer buffer = buffer_of(bytes, sizeof bytes);
  fill(bytes, sizeof bytes, 1);
  CHECK_CODE(mmcc_put("only here", &buffer, options_preferring(1, CHILD_SLOT, -1), 0), MMC_OK);
  fill(bytes, sizeof bytes, 2);
  CHECK_CODE(mmcc_put("in both", &buffer, options_for(2), 0), MMC_OK);
  fill(bytes, sizeof bytes, 3);
  CHECK_CODE(mmcc_put("elsewhere", &buffer, options_preferring(1, 1, -1), 0), MMC_OK);
  fill(scene.shared, BIG, 4);
  CHECK_CODE(put_bytes("large", scene.shared, BIG), MMC_OK);
  say_step(3);
  wait_for_step(100);
}

static void check_survivors(void) {
  char out[1000];
  CHECK_CODE(get_bytes("in both", out, sizeof out), MMC_OK);
  CHECK(is_filled(out, sizeof out, 2));
  CHECK(query("in both").numBlobs == 1 && query("in both").ranks[0] == 1);
  CHECK_CODE(get_bytes("elsewhere", out, sizeof out), MMC_OK);
  CHECK(is_filled(out, sizeof out, 3));
  CHECK(!query("only here").valid && !query("large").valid);
}

static void objects_die_with_their_service_unless_replicated(void) {
  uint32_t id;
  scene_begin(2 * BIG);
  pid_t child = spawn(own_and_replicate, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(mmcc_local_service_id(&id), MMC_OK);
  CHECK(id == 1);
  say_step(2);
  wait_for_step(3);
  struct segment *own = &pool_self()->segment; /* wait until the background thread has allocated all of it */
  UNTIL(atomic_load(&own->backed_groups) == own->groups);
  uint64_t before = pool_backed_bytes();
  kill_now(child);
  WITHIN_RECOVERY(mmcc_exist("only here", 0) == MMC_UNMATCHED_KEY);
  check_survivors();
  CHECK_CODE(mmcc_exist("large", 0), MMC_UNMATCHED_KEY);
  UNTIL(pool_backed_bytes() + BIG <= before); /* its memory was returned to the kernel */
  UNTIL(client_state_of(atomic_load(&pool_client(CHILD_SLOT)->state)) == CLIENT_FREE);
  CHECK(pool_used_bytes() <= 4 * 1024);
  say_step(0);
  child = spawn(stay, NULL); /* the next client gets its id */
  wait_for_step(1);
  mmc_buffer buffer = buffer_of("again", 5);
  CHECK_CODE(mmcc_put("again", &buffer, options_preferring(1, CHILD_SLOT, -1), 0), MMC_OK);
  check_survivors();
  say_step(2);
  expect_success(child);
  check_survivors();
  CHECK(!query("again").valid);
  mmc_uninit();
  scene_end();
}

static void a_killed_reader_pins_nothing(void) {
  scene_begin(BIG + MIB);
  pid_t child = spawn(read_big_repeatedly, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  char *bytes = malloc(BIG);
  fill(bytes, BIG, 7);
  mmc_buffer buffer = buffer_of(bytes, BIG);
  CHECK_CODE(mmcc_put("big", &buffer, options_preferring(1, 1, -1), 0), MMC_OK);
  say_step(2);
  stop_while(child, big_is_half_read);
  CHECK_CODE(mmcc_remove("big", 0), MMC_OK);
  CHECK_CODE(mmcc_put("big", &buffer, options_preferring(1, 1, -1), 0), MMC_ERROR);
  kill_now(child);
  WITHIN_RECOVERY(mmcc_put("big", &buffer, options_preferring(1, 1, -1), 0) == MMC_OK);
  mmc_uninit();
  free(bytes);
  scene_end();
}

static void end_without_leaving(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(put_bytes("k", "v", 1), MMC_OK);
  exit(0);
}

static void a_pool_without_clients_is_swept_or_begun_anew(void) {
  char dead[64];
  scene_begin(MIB);
  snprintf(dead, sizeof dead, "%s", scene.pool);
  leave_pool_without_clients(dead, end_without_leaving);
  CHECK_CODE(init_client(), MMC_OK); /* the same name */
  CHECK_CODE(mmcc_exist("k", 0), MMC_UNMATCHED_KEY);
  mmc_uninit();
  CHECK(!pool_exists(dead));
  leave_pool_without_clients(dead, end_without_leaving);
  unique_pool_name(scene.pool, sizeof scene.pool);
  use_pool(scene.pool, MIB);
  CHECK_CODE(init_client(), MMC_OK); /* another name */
  CHECK(!pool_exists(dead));
  mmc_uninit();
  scene_end();
}

static void fork_and_wait(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(put_bytes("k", "v", 1), MMC_OK);
  pid_t grandchild = fork();
  if (grandchild == 0) {
    CHECK_CODE(mmcc_exist("k", 0), MMC_CLIENT_NOT_INIT);
    mmc_uninit();
    atomic_store(&scene.board->step[2], (int)getpid());
    for (;;) pause();
  }
  UNTIL(atomic_load(&scene.board->step[2]) != 0);
  say_step(1);
  for (;;) pause();
}

static void a_fork_does_not_keep_its_parent_alive(void) {
  scene_begin(MIB);
  pid_t child = spawn(fork_and_wait, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(mmcc_exist("k", 0), MMC_OK);
  kill_now(child);
  WITHIN_RECOVERY(mmcc_exist("k", 0) == MMC_UNMATCHED_KEY);
  CHECK(kill(atomic_load(&scene.board->step[2]), SIGKILL) == 0);
  mmc_uninit();
  scene_end();
}

int run_deaths(int count, char **arguments) {
  (void)count;
  (void)arguments;
  a_killed_writer_takes_its_half_written_key_along();
  a_writer_survives_the_death_of_the_memory_it_writes_to();
  objects_die_with_their_service_unless_replicated();
  a_killed_reader_pins_nothing();
  a_pool_without_clients_is_swept_or_begun_anew();
  a_fork_does_not_keep_its_parent_alive();
  puts("deaths: ok");
  return 0;
}
