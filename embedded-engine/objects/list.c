/*
 * There is no order among the entries, and an index in order of the keys would cost every put. So a
 * page takes one walk over the table, chunk by chunk, and keeps the lowest keys of the range in a heap
 * of the size of a page. A chunk belongs to one shard, so its 32 entries need only the lock of that
 * shard. The lock keeps an entry from getting another key while its key is compared and copied.
 */
#include "list.h"

#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "shard.h"

/* A copy of a key: its entry may get another one as soon as its shard is unlocked. */
struct listed {
  uint32_t length;
  char bytes[MMC_MAX_KEY_BYTES];
};

/* `heap` has the numbers of the keys in `list`; the highest key is first. */
struct page {
  const struct list_range *range;
  struct listed *list;
  uint32_t *heap;
  uint32_t count;
  uint32_t limit;
  bool more;
};

static int compare(const char *left, uint32_t left_length, const char *right,
                   uint32_t right_length) {
  uint32_t common = left_length < right_length ? left_length : right_length;
  int order = memcmp(left, right, common);
  if (order != 0) return order;
  return (left_length > right_length) - (left_length < right_length);
}

static int compare_at(const struct page *page, uint32_t left, uint32_t right) {
  const struct listed *a = &page->list[page->heap[left]];
  const struct listed *b = &page->list[page->heap[right]];
  return compare(a->bytes, a->length, b->bytes, b->length);
}

static void swap(uint32_t *left, uint32_t *right) {
  uint32_t kept = *left;
  *left = *right;
  *right = kept;
}

static void sift_up(struct page *page, uint32_t at) {
  while (at > 0 && compare_at(page, at, (at - 1) / 2) > 0) {
    swap(&page->heap[at], &page->heap[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
}

static void sift_down(struct page *page, uint32_t count) {
  for (uint32_t at = 0, child = 1; child < count; at = child, child = 2 * child + 1) {
    if (child + 1 < count && compare_at(page, child + 1, child) > 0) child++;
    if (compare_at(page, child, at) <= 0) return;
    swap(&page->heap[at], &page->heap[child]);
  }
}

static void copy_key(struct listed *to, const struct entry *entry) {
  to->length = entry->key_length;
  memcpy(to->bytes, entry->key, entry->key_length);
}

static void add(struct page *page, const struct entry *entry) {
  if (page->count < page->limit) {
    copy_key(&page->list[page->count], entry);
    page->heap[page->count] = page->count;
    page->count++;
    sift_up(page, page->count - 1);
    return;
  }
  page->more = true;
  struct listed *highest = &page->list[page->heap[0]];
  if (compare(entry->key, entry->key_length, highest->bytes, highest->length) >= 0) return;
  copy_key(highest, entry);
  sift_down(page, page->count);
}

static bool is_in_range(const struct entry *entry, const struct list_range *range) {
  const struct key *prefix = &range->prefix;
  const struct key *after = &range->after;
  return entry->key_length >= prefix->length &&
         memcmp(entry->key, prefix->bytes, prefix->length) == 0 &&
         (after->length == 0 ||
          compare(entry->key, entry->key_length, after->bytes, after->length) > 0);
}

/* A taken key of which a live client has the bytes; the others are lost and wait for the sweep. */
static bool is_listed(const struct entry *entry) {
  enum entry_state state = entry_state_of(atomic_load_explicit(&entry->state, memory_order_relaxed));
  return (state == ENTRY_WRITING || state == ENTRY_COMMITTED) &&
         pool_check(entry->key_length > 0 && entry->key_length <= MMC_MAX_KEY_BYTES) &&
         (entry_services(entry) & pool_live_services()) != 0;
}

static void add_chunk(struct page *page, const struct entry *first) {
  for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
    const struct entry *entry = first + i;
    if (is_listed(entry) && is_in_range(entry, page->range)) add(page, entry);
  }
}

static bool walk(struct page *page, int64_t *budget_ns) {
  uint32_t chunks = entry_chunks();
  for (uint32_t chunk = 0; chunk < chunks; chunk++) {
    struct entry *first = entry_at(chunk * CHUNK_ENTRIES);
    uint32_t shard = entry_shard(first);
    if (!pool_is_intact() || !shard_lock(shard, budget_ns)) return false;
    add_chunk(page, first);
    shard_unlock(shard);
  }
  return true;
}

/* Takes the highest key off the heap until all are in order. */
static void sort(struct page *page) {
  for (uint32_t left = page->count; left > 1; left--) {
    swap(&page->heap[0], &page->heap[left - 1]);
    sift_down(page, left - 1);
  }
}

/* An object that was stored again during the walk may be in the list twice. */
static void write_page(const struct page *page, mmc_embedded_key_page *out) {
  char *to = out->keys;
  out->count = 0;
  out->more = page->more;
  for (uint32_t i = 0; i < page->count; i++) {
    const struct listed *key = &page->list[page->heap[i]];
    if (i > 0 && compare_at(page, i - 1, i) == 0) continue;
    memcpy(to, key->bytes, key->length);
    to[key->length] = '\0';
    to += key->length + 1;
    out->count++;
  }
}

int32_t list_keys(struct call *call, const struct list_range *range, mmc_embedded_key_page *out) {
  struct page page = {.range = range, .limit = out->limit};
  page.list = malloc(out->limit * sizeof *page.list);
  page.heap = malloc(out->limit * sizeof *page.heap);
  int32_t code = MMC_MALLOC_FAILED;
  if (page.list != NULL && page.heap != NULL) {
    code = walk(&page, &call->wait_budget_ns) ? MMC_OK : MCG_LOCK_TIMEOUT;
  }
  if (code == MMC_OK) {
    sort(&page);
    write_page(&page, out);
  }
  free(page.list);
  free(page.heap);
  return code;
}
