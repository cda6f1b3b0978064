/*
 * Removes a file only if it has the prefix and the magic, belongs to this user, and no client holds
 * a lock on it. The membership lock prevents other clients from joining during the removal. If
 * another program has overwritten the magic, the size is the criterion: no other file with this
 * prefix is as large.
 */
#include "leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "layout.h"
#include "liveness.h"
#include "log.h"

#define SHARED_MEMORY_DIRECTORY "/dev/shm"
#define HALF_MADE_SECONDS 10

/*
 * A creator that was killed early has written no magic, so its file is recognised by size and age. A
 * truncated file stays for the same time, so that the next client of that pool can log the damage.
 */
static bool is_pool(int descriptor, const struct stat *status) {
  uint64_t magic = 0;
  bool ours = pread(descriptor, &magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
              magic == POOL_MAGIC;
  bool large = status->st_size >= (off_t)BASE_BYTES;
  if (ours && large) return true;
  bool possible = ours || large || status->st_size == 0;
  return possible && time(NULL) - status->st_ctime > HALF_MADE_SECONDS;
}

static void remove_if_dead(const char *name) {
  int descriptor = shm_open(name, O_RDWR, 0);
  if (descriptor < 0) return;
  struct stat status;
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
      status.st_uid == geteuid() && is_pool(descriptor, &status) &&
      liveness_lock_membership(descriptor, 0) && !liveness_any_held(descriptor)) {
    shm_unlink(name);
    log_debug("removed the pool %s, whose clients were all killed", name);
  }
  close(descriptor);
}

void leftovers_remove(const char *own_name) {
  char prefix[32];
  int length = snprintf(prefix, sizeof prefix, "mcg-%u-", (unsigned)geteuid());
  DIR *directory = opendir(SHARED_MEMORY_DIRECTORY);
  if (directory == NULL) return;
  for (struct dirent *item; (item = readdir(directory)) != NULL;) {
    if (strncmp(item->d_name, prefix, (size_t)length) != 0) continue;
    char name[sizeof item->d_name + 1];
    snprintf(name, sizeof name, "/%s", item->d_name);
    if (strcmp(name, own_name) != 0) remove_if_dead(name);
  }
  closedir(directory);
}
