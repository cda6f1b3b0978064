/* Limits: the owner of a pool, the number of clients and objects, and a /dev/shm that is too small. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "pool.h"
#include "programs.h"
#include "scene.h"
#include "watch.h"

#define MILLION 1000000
#define TINY 100u

static void only_a_private_file_of_the_same_user_is_a_pool(void) {
  char path[300];
  struct stat status;
  scene_begin(MIB);
  snprintf(path, sizeof path, "/dev/shm/%s", scene.pool);
  umask(0);
  CHECK_CODE(init_client(), MMC_OK);
  CHECK(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
  mmc_uninit();
  int descriptor = open(path, O_CREAT | O_RDWR | O_EXCL, 0640);
  CHECK(descriptor >= 0);
  CHECK_CODE(init_client(), MMC_ERROR);
  CHECK(access(path, F_OK) == 0); /* belongs to another user, so it was not removed */
  if (geteuid() == 0) {
    CHECK(fchmod(descriptor, 0600) == 0 && fchown(descriptor, 12345, 12345) == 0);
    CHECK_CODE(init_client(), MMC_ERROR);
    CHECK(access(path, F_OK) == 0);
  } else {
    puts("room: the case of another owner is skipped, because it needs root");
  }
  close(descriptor);
  unlink(path);
  CHECK_CODE(init_client(), MMC_OK);
  mmc_uninit();
  scene_end();
}

static void another_layout_is_refused(void) {
  scene_begin(MIB);
  pid_t child = spawn(stay, NULL);
  wait_for_step(1);
  int descriptor = shm_open(scene.pool, O_RDWR, 0);
  uint32_t layout = POOL_LAYOUT + 1, right = POOL_LAYOUT;
  off_t offset = offsetof(struct pool_header, layout);
  CHECK(descriptor >= 0 && pwrite(descriptor, &layout, sizeof layout, offset) == sizeof layout);
  CHECK_CODE(init_client(), MMC_ERROR);
  CHECK(pwrite(descriptor, &right, sizeof right, offset) == sizeof right);
  CHECK_CODE(init_client(), MMC_OK);
  mmc_uninit();
  close(descriptor);
  say_step(2);
  expect_success(child);
  scene_end();
}

static void join_in_turn(void *context) {
  int number = (int)(intptr_t)context;
  uint32_t id;
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(mmcc_local_service_id(&id), MMC_OK);
  CHECK(id == (uint32_t)number);
  say_step(number + 1);
  wait_for_step(1000);
  mmc_uninit();
}

static void the_sixty_fifth_client_is_refused(void) {
  pid_t children[CLIENT_SLOTS];
  scene_begin(4096);
  for (uint32_t i = 0; i < CLIENT_SLOTS; i++) {
    children[i] = spawn(join_in_turn, (void *)(intptr_t)i);
    wait_for_step((int)i + 1);
  }
  CHECK_CODE(init_client(), MMC_ERROR);
  say_step(1000);
  for (uint32_t i = 0; i < CLIENT_SLOTS; i++) expect_success(children[i]);
  CHECK(!pool_exists(scene.pool));
  CHECK_CODE(init_client(), MMC_OK);
  mmc_uninit();
  scene_end();
}

static void tiny_key(char *key, size_t room, int number) {
  snprintf(key, room, "tiny/%d", number);
}

static void die_with_a_lock_in_use(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(put_bytes("gone", "gone", 4), MMC_OK);
  say_step(1);
  for (int i = 0;; i = (i + 1) % MILLION) {
    char key[24];
    tiny_key(key, sizeof key, i);
    mmcc_exist(key, 0);
  }
}

/* A gibibyte for a million of them. */
static void small_objects_need_about_a_kibibyte(int objects) {
  char key[24], bytes[TINY], out[TINY];
  scene_begin(1024 * MIB * (uint64_t)objects / MILLION);
  CHECK_CODE(init_client(), MMC_OK);
  int64_t start_ms = now_ms();
  for (int i = 0; i < objects; i++) {
    tiny_key(key, sizeof key, i);
    fill(bytes, TINY, (uint64_t)i);
    CHECK_CODE(put_bytes(key, bytes, TINY), MMC_OK);
  }
  int64_t put_ms = now_ms() - start_ms;
  say_step(0);
  pid_t child = spawn(die_with_a_lock_in_use, NULL);
  wait_for_step(1);
  CHECK_CODE(mmcc_exist("gone", 0), MMC_OK);
  kill_now(child);
  start_ms = now_ms();
  while (mmcc_exist("gone", 0) != MMC_UNMATCHED_KEY) CHECK(now_ms() - start_ms < 10000);
  printf("room: %d objects put in %lld ms, a death noticed after %lld ms\n", objects,
         (long long)put_ms, (long long)(now_ms() - start_ms));
  CHECK(now_ms() - start_ms < RECOVERY_MS + SLACK_MS);
  for (int i = 0; i < objects; i++) {
    tiny_key(key, sizeof key, i);
    fill(bytes, TINY, (uint64_t)i);
    CHECK_CODE(get_bytes(key, out, TINY), MMC_OK);
    CHECK(memcmp(bytes, out, TINY) == 0);
  }
  UNTIL(client_state_of(atomic_load(&pool_client(1)->state)) == CLIENT_FREE);
  audit_pool();
  mmc_uninit();
  scene_end();
}

/* Small objects reach the limit of entries (MIN_ENTRY_LIMIT) before the limit of bytes. */
static void a_full_table_evicts_too(void) {
  char key[24];
  scene_begin(16 * MIB);
  CHECK_CODE(init_client(), MMC_OK);
  for (uint32_t i = 0; i < MIN_ENTRY_LIMIT * 2; i++) {
    tiny_key(key, sizeof key, (int)i);
    CHECK_CODE(put_bytes(key, "x", 1), MMC_OK);
  }
  struct pool_use use = pool_measure_use();
  CHECK(use.total_entries == MIN_ENTRY_LIMIT);
  /* Eviction is asynchronous, and may not catch up with the puts before the last one. */
  CHECK(use.used_entries <= MIN_ENTRY_LIMIT + MIN_ENTRY_LIMIT / 4 + SHARDS * CHUNK_ENTRIES);
  UNTIL(pool_measure_use().used_entries <= MIN_ENTRY_LIMIT * 9 / 10);
  CHECK(pool_measure_use().used_entries > MIN_ENTRY_LIMIT / 2);
  tiny_key(key, sizeof key, 0);
  CHECK_CODE(mmcc_exist(key, 0), MMC_UNMATCHED_KEY);
  mmc_uninit();
  scene_end();
}

static void ignore_damage(const char *how) {
  (void)how;
}

/* The evicting thread is late: it starts when the table is far beyond its limit. */
static void a_table_far_beyond_its_limit_is_brought_below_it(void) {
  enum { ENTRIES = MIN_ENTRY_LIMIT / 5 * 6 };
  char key[24];
  scene_begin(16 * MIB);
  CHECK_CODE(init_client(), MMC_OK);
  watch_stop();
  for (int i = 0; i < ENTRIES; i++) {
    tiny_key(key, sizeof key, i);
    CHECK_CODE(put_bytes(key, "x", 1), MMC_OK);
  }
  struct pool_use use = pool_measure_use();
  CHECK(use.used_entries == ENTRIES && use.total_entries == MIN_ENTRY_LIMIT);
  CHECK(watch_start(ignore_damage));
  UNTIL(pool_measure_use().used_entries <= MIN_ENTRY_LIMIT * 9 / 10);
  mmc_uninit();
  scene_end();
}

static bool mount_small_shared_memory(void) {
  return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=48m") == 0;
}

/* /dev/shm has no space for the summaries of a segment, or for another pool. */
static void find_no_room(void *context) {
  (void)context;
  use_pool("mcg-small", 200ull << 30);
  CHECK_CODE(init_client(), MMC_ERROR);
  use_pool("mcg-other", MIB);
  CHECK_CODE(init_client(), MMC_ERROR);
  CHECK(!pool_exists("mcg-other"));
}

static void fill_a_small_machine(void *context) {
  enum { PIECE = 1 << 20, PIECES = 200 };
  char key[24], *bytes = malloc(PIECE), *out = malloc(PIECE);
  (void)context;
  if (!mount_small_shared_memory()) {
    puts("room: the case of a small /dev/shm is skipped, because mounting one is not permitted");
    return;
  }
  use_pool("mcg-small", 200 * MIB);
  CHECK_CODE(init_client(), MMC_OK); /* and warns on stderr */
  int stored = 0;
  for (int i = 0; i < PIECES; i++) {
    tiny_key(key, sizeof key, i);
    fill(bytes, PIECE, (uint64_t)i);
    int32_t code = put_bytes(key, bytes, PIECE);
    CHECK(code == MMC_OK || code == MMC_ERROR);
    if (code == MMC_OK) stored++;
    CHECK(code != MMC_OK || stored == i + 1); /* after the first failure, all puts fail */
  }
  CHECK(stored > 20 && stored < 48);
  CHECK_CODE(put_bytes("large", bytes, PIECE), MMC_ERROR);
  for (int i = 0; i < stored; i++) {
    tiny_key(key, sizeof key, i);
    CHECK_CODE(get_bytes(key, out, PIECE), MMC_OK);
    CHECK(is_filled(out, PIECE, (uint64_t)i));
  }
  CHECK_CODE(mmcc_remove(key, 0), MMC_OK);
  CHECK_CODE(put_bytes("again", bytes, PIECE), MMC_OK);
  int descriptor = open("/dev/shm/filler", O_CREAT | O_RDWR, 0600);
  while (write(descriptor, bytes, 4096) > 0) continue;
  CHECK(errno == ENOSPC);
  expect_success(spawn(find_no_room, NULL));
  CHECK_CODE(get_bytes("again", out, PIECE), MMC_OK);
  close(descriptor);
  mmc_uninit();
  free(bytes);
  free(out);
}

int run_room(int count, char **arguments) {
  int objects = count > 1 ? atoi(arguments[1]) : MILLION;
  only_a_private_file_of_the_same_user_is_a_pool();
  another_layout_is_refused();
  the_sixty_fifth_client_is_refused();
  a_full_table_evicts_too();
  a_table_far_beyond_its_limit_is_brought_below_it();
  expect_success(spawn(fill_a_small_machine, NULL));
  small_objects_need_about_a_kibibyte(objects);
  puts("room: ok");
  return 0;
}
