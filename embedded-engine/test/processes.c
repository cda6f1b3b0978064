/* Several live clients of one pool, and the effect of each on the others. */
#include <string.h>

#include "programs.h"
#include "scene.h"

static void second_client(void *context) {
  uint32_t id;
  char out[100];
  (void)context;
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(mmcc_local_service_id(&id), MMC_OK);
  CHECK(id == 1);
  CHECK_CODE(get_bytes("first's", out, 100), MMC_OK);
  CHECK(is_filled(out, 100, 1));
  fill(out, 100, 2);
  CHECK_CODE(put_bytes("second's", out, 100), MMC_OK);
  mmc_buffer buffer = buffer_of(out, 100);
  CHECK_CODE(mmcc_put("forced", &buffer, options_preferring(1, 0, -1), 0), MMC_OK);
  say_step(2);
  wait_for_step(3);
  CHECK_CODE(get_bytes("both", out, 100), MMC_OK);
  CHECK(is_filled(out, 100, 3));
  mmc_uninit();
}

static void objects_are_shared_until_their_service_leaves(void) {
  char out[100];
  scene_begin(MIB);
  pid_t child = spawn(second_client, NULL);
  CHECK_CODE(init_client(), MMC_OK);
  fill(out, 100, 1);
  CHECK_CODE(put_bytes("first's", out, 100), MMC_OK);
  say_step(1);
  wait_for_step(2);
  CHECK_CODE(get_bytes("second's", out, 100), MMC_OK);
  CHECK(is_filled(out, 100, 2));
  CHECK(query("first's").ranks[0] == 0 && query("second's").ranks[0] == 1);
  CHECK(query("forced").ranks[0] == 0);
  fill(out, 100, 3);
  mmc_buffer buffer = buffer_of(out, 100);
  CHECK_CODE(mmcc_put("none", &buffer, options_for(3), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("none", &buffer, options_preferring(2, 1, 1), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("none", &buffer, options_preferring(2, 1, 2), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("none", &buffer, options_preferring(2, 1, -1), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("both", &buffer, options_for(2), 0), MMC_OK);
  CHECK_CODE(mmcc_put("order", &buffer, options_preferring(2, 1, 0), 0), MMC_OK);
  mmc_data_info info = query("both");
  CHECK(info.numBlobs == 2 && info.ranks[0] == 0 && info.ranks[1] == 1);
  info = query("order");
  CHECK(info.numBlobs == 2 && info.ranks[0] == 1 && info.ranks[1] == 0);
  CHECK(!query("none").valid);
  say_step(3);
  expect_success(child);
  CHECK_CODE(mmcc_exist("second's", 0), MMC_UNMATCHED_KEY);
  CHECK_CODE(get_bytes("both", out, 100), MMC_OK);
  CHECK(is_filled(out, 100, 3) && query("both").numBlobs == 1);
  CHECK_CODE(mmcc_put("alone", &buffer, options_for(2), 0), MMC_ERROR);
  mmc_uninit();
  scene_end();
}

static void a_full_service_is_no_place_for_a_forced_replica(void) {
  char *bytes = calloc(1, MIB);
  scene_begin(MIB);
  pid_t child = spawn(stay, NULL);
  wait_for_step(1); /* the child is service 0, this process 1 */
  CHECK_CODE(init_client(), MMC_OK);
  mmc_buffer small = buffer_of(bytes, MIB / 2);
  mmc_buffer most = buffer_of(bytes, MIB / 4 * 3);
  CHECK_CODE(mmcc_put("fills 0", &most, options_preferring(1, 0, -1), 0), MMC_OK);
  CHECK_CODE(mmcc_put("full", &small, options_preferring(1, 0, -1), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("full", &small, options_for(2), 0), MMC_ERROR);
  CHECK(!query("full").valid);
  CHECK_CODE(mmcc_put("all of 1", &(mmc_buffer){(uint64_t)(uintptr_t)bytes, 1, 0, MIB},
                      options_preferring(1, 1, -1), 0), MMC_OK); /* the failed put has released its space */
  CHECK_CODE(mmcc_remove("all of 1", 0), MMC_OK);
  CHECK_CODE(put_bytes("fills 1", bytes, MIB / 4 * 3), MMC_OK);
  CHECK(query("fills 1").ranks[0] == 1);
  CHECK_CODE(put_bytes("spills", bytes, MIB / 4), MMC_OK);
  CHECK_CODE(mmcc_remove("fills 0", 0), MMC_OK);
  CHECK_CODE(put_bytes("spills too", bytes, MIB / 2), MMC_OK);
  CHECK(query("spills too").ranks[0] == 0);
  say_step(2);
  expect_success(child);
  mmc_uninit();
  free(bytes);
  scene_end();
}

static pid_t start_half_written(void) {
  scene_begin(2 * BIG);
  pid_t child = spawn(write_big_repeatedly, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  stop_while(child, big_is_half_written);
  say_step(2);
  return child;
}

static void a_half_written_key_is_taken_but_not_readable(void) {
  char *out = malloc(BIG);
  pid_t child = start_half_written();
  mmc_data_info info = query("big");
  CHECK(info.valid && info.size == BIG && info.ranks[0] == 0);
  memset(out, 'x', 100);
  CHECK_CODE(get_bytes("big", out, BIG), MMC_ERROR);
  CHECK(out[0] == 'x' && out[99] == 'x');
  CHECK_CODE(put_bytes("big", out, 10), MMC_DUPLICATED_OBJECT);
  resume(child);
  wait_for_step(3);
  CHECK_CODE(mmcc_exist("big", 0), MMC_OK);
  CHECK_CODE(get_bytes("big", out, BIG), MMC_OK);
  CHECK(is_filled(out, BIG, 5));
  say_step(4);
  expect_success(child);
  mmc_uninit();
  free(out);
  scene_end();
}

static void a_half_written_key_can_be_removed(void) {
  char *bytes = malloc(BIG);
  char *out = malloc(BIG);
  pid_t child = start_half_written();
  CHECK_CODE(mmcc_remove("big", 0), MMC_OK);
  CHECK_CODE(mmcc_exist("big", 0), MMC_UNMATCHED_KEY);
  fill(bytes, BIG, 6);
  CHECK_CODE(put_bytes("big", bytes, BIG), MMC_OK); /* its space differs from that of the stopped writer */
  resume(child);
  wait_for_step(3);
  CHECK_CODE(get_bytes("big", out, BIG), MMC_OK);
  CHECK(is_filled(out, BIG, 6));
  mmc_buffer buffer = buffer_of(bytes, BIG); /* the writer's space was released */
  CHECK_CODE(mmcc_put("again", &buffer, options_preferring(1, 0, -1), 0), MMC_OK);
  CHECK_CODE(mmcc_put("and again", &buffer, options_preferring(1, 0, -1), 0), MMC_OK);
  say_step(4);
  expect_success(child);
  mmc_uninit();
  free(bytes);
  free(out);
  scene_end();
}

static void space_that_is_being_read_is_not_used_again(void) {
  char *bytes = malloc(BIG);
  scene_begin(BIG + MIB);
  pid_t child = spawn(read_big_repeatedly, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  fill(bytes, BIG, 7);
  mmc_buffer buffer = buffer_of(bytes, BIG);
  CHECK_CODE(mmcc_put("big", &buffer, options_preferring(1, 1, -1), 0), MMC_OK);
  say_step(2);
  stop_while(child, big_is_half_read);
  say_step(3);
  CHECK_CODE(mmcc_remove("big", 0), MMC_OK);
  CHECK_CODE(mmcc_exist("big", 0), MMC_UNMATCHED_KEY);
  memset(bytes, 0xff, BIG);
  CHECK_CODE(mmcc_put("big", &buffer, options_preferring(1, 1, -1), 0), MMC_ERROR);
  buffer.len = MIB / 2;
  CHECK_CODE(mmcc_put("beside", &buffer, options_preferring(1, 1, -1), 0), MMC_OK);
  resume(child);
  wait_for_step(4);
  buffer.len = BIG;
  CHECK_CODE(mmcc_put("big", &buffer, options_preferring(1, 1, -1), 0), MMC_OK);
  say_step(5);
  expect_success(child);
  mmc_uninit();
  free(bytes);
  scene_end();
}

int run_processes(int count, char **arguments) {
  (void)count;
  (void)arguments;
  objects_are_shared_until_their_service_leaves();
  a_full_service_is_no_place_for_a_forced_replica();
  a_half_written_key_is_taken_but_not_readable();
  a_half_written_key_can_be_removed();
  space_that_is_being_read_is_not_used_again();
  puts("processes: ok");
  return 0;
}
