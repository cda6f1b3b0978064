/* A pool whose header another program overwrites or truncates, before or while clients use it. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"
#include "programs.h"
#include "scene.h"

#define VALUE_BYTES 100000u

static int open_file(void) {
  int descriptor = shm_open(scene.pool, O_RDWR, 0);
  CHECK(descriptor >= 0);
  return descriptor;
}

static void overwrite(int byte, size_t bytes) {
  static char rubbish[sizeof(struct pool_header)];
  int descriptor = open_file();
  memset(rubbish, byte, bytes);
  CHECK(pwrite(descriptor, rubbish, bytes, 0) == (ssize_t)bytes);
  close(descriptor);
}

static void cut_to(off_t bytes) {
  int descriptor = open_file();
  CHECK(ftruncate(descriptor, bytes) == 0);
  close(descriptor);
}

static off_t file_bytes(void) {
  struct stat status;
  int descriptor = open_file();
  CHECK(fstat(descriptor, &status) == 0);
  close(descriptor);
  return status.st_size;
}

static void cut_off(void) {
  cut_to(4096);
}

static void cut_to_nothing(void) {
  cut_to(0);
}

/* No client uses these two pages: its only object is at the start of its segment. */
static void cut_off_the_last_page(void) {
  cut_to(file_bytes() - 4096);
}

static void cut_off_half_a_segment(void) {
  cut_to(file_bytes() - (off_t)(2 * MIB));
}

static void zero_the_header(void) {
  overwrite(0, sizeof(struct pool_header));
}

static void fill_the_header(void) {
  overwrite(0xff, sizeof(struct pool_header));
}

static void zero_the_magic(void) {
  overwrite(0, sizeof(uint64_t));
}

/* Reads one object in a loop. Each read returns the right bytes; after the first error, all fail. */
static void read_until_it_fails(void *context) {
  static char value[VALUE_BYTES];
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  fill(value, sizeof value, 3);
  CHECK_CODE(put_bytes("key", value, sizeof value), MMC_OK);
  say_step(1);
  int32_t code = MMC_OK;
  while (code == MMC_OK) {
    memset(value, 0, sizeof value);
    code = get_bytes("key", value, sizeof value);
    if (code == MMC_OK) CHECK(is_filled(value, sizeof value, 3));
  }
  CHECK_CODE(code, MMC_CLIENT_NOT_INIT);
  UNTIL(mmc_embedded_is_member() == 0);
  CHECK_CODE(mmcc_exist("key", 0), MMC_CLIENT_NOT_INIT);
  say_step(2);
  wait_for_step(3);
  mmc_uninit();
  CHECK_CODE(init_client(), MMC_OK); /* a new pool, which another client has created */
  CHECK_CODE(mmcc_exist("new", 0), MMC_OK);
  mmc_uninit();
}

static void a_client_leaves_and_the_next_one_makes_the_pool_anew(void (*destroy)(void)) {
  scene_begin(4 * MIB);
  pid_t child = spawn(read_until_it_fails, NULL);
  wait_for_step(1);
  destroy();
  wait_for_step(2);
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(mmcc_exist("key", 0), MMC_UNMATCHED_KEY);
  CHECK_CODE(put_bytes("new", "bytes", 5), MMC_OK);
  say_step(3);
  expect_success(child);
  CHECK_CODE(mmcc_exist("new", 0), MMC_OK);
  mmc_uninit();
  scene_end();
}

/* A stopped client cannot notice the damage. It keeps the old file, and leaves when it continues. */
static void a_stopped_client_does_not_keep_the_pool_from_being_made_anew(void (*destroy)(void)) {
  scene_begin(4 * MIB);
  pid_t child = spawn(read_until_it_fails, NULL);
  wait_for_step(1);
  stop(child);
  destroy();
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(put_bytes("new", "bytes", 5), MMC_OK);
  resume(child);
  wait_for_step(2);
  say_step(3);
  expect_success(child);
  CHECK_CODE(mmcc_exist("new", 0), MMC_OK);
  mmc_uninit();
  scene_end();
}

/* Without a header, a call may get SIGBUS before the watching thread notices the damage. */
static void a_file_without_a_header_costs_its_clients_and_no_more(void (*destroy)(void)) {
  int status;
  scene_begin(4 * MIB);
  pid_t child = spawn(stay, NULL);
  wait_for_step(1);
  destroy();
  say_step(2);
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(put_bytes("new", "bytes", 5), MMC_OK);
  CHECK_CODE(mmcc_exist("new", 0), MMC_OK);
  mmc_uninit();
  scene_end();
}

static void leave_without_uninit(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(put_bytes("key", "bytes", 5), MMC_OK);
}

static void a_pool_that_no_client_uses_is_made_anew(void (*destroy)(void)) {
  scene_begin(4 * MIB);
  leave_pool_without_clients(scene.pool, leave_without_uninit);
  destroy();
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(mmcc_exist("key", 0), MMC_UNMATCHED_KEY);
  CHECK_CODE(put_bytes("key", "bytes", 5), MMC_OK);
  mmc_uninit();
  scene_end();
}

int run_destroyed(int count, char **arguments) {
  (void)count;
  (void)arguments;
  a_pool_that_no_client_uses_is_made_anew(zero_the_magic);
  a_pool_that_no_client_uses_is_made_anew(fill_the_header);
  a_pool_that_no_client_uses_is_made_anew(cut_off);
  a_pool_that_no_client_uses_is_made_anew(cut_off_the_last_page);
  a_client_leaves_and_the_next_one_makes_the_pool_anew(zero_the_magic);
  a_client_leaves_and_the_next_one_makes_the_pool_anew(zero_the_header);
  a_client_leaves_and_the_next_one_makes_the_pool_anew(fill_the_header);
  a_client_leaves_and_the_next_one_makes_the_pool_anew(cut_off_the_last_page);
  a_client_leaves_and_the_next_one_makes_the_pool_anew(cut_off_half_a_segment);
  a_stopped_client_does_not_keep_the_pool_from_being_made_anew(zero_the_header);
  a_stopped_client_does_not_keep_the_pool_from_being_made_anew(cut_off_the_last_page);
  a_stopped_client_does_not_keep_the_pool_from_being_made_anew(cut_off_half_a_segment);
  a_file_without_a_header_costs_its_clients_and_no_more(cut_off);
  a_file_without_a_header_costs_its_clients_and_no_more(cut_to_nothing);
  puts("destroyed: ok");
  return 0;
}
