/*
 * The load generator of `npm run bench`: one thread, epoll, a closed loop. CONNECTIONS sockets each keep DEPTH requests
 * outstanding, against a server that speaks IPROTO (Tonearm, Tarantool) or RESP (Redis), so that all of them are driven
 * by the same code.
 *
 * Every answer is checked, not only counted: its status, that it belongs to an outstanding request, and that the row in
 * it is the row that was asked for or written. A server that answers quickly and wrongly shows errors.
 *
 *   client NAME=VALUE …     port, operation, connections, depth, seconds (or count), keys, next, space, user, password
 *
 * Operations: ping, get, insert, mix (nine gets to one insert), select (ten rows by salary), redis-get, redis-set.
 * Gets ask for keys below `keys`, inserts take keys from `next` on; the result, one line of JSON, says how far they
 * came. With `count` exactly that many requests are sent; with `seconds` there is a warm-up that is not measured, and
 * what is outstanding at the end is waited for, so that no insert stays unknown.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ID_BYTES = 16, REQUEST_BYTES_MAX = 256, INPUT_BYTES = 1 << 20, RANGE_ROWS = 10 };
/* The server is given up when it answers nothing for so long. */
enum { PATIENCE_MS = 30000 };
enum operation { PING, GET, INSERT, MIX, SELECT, REDIS_GET, REDIS_SET };
static const char *const operation_names[] = {"ping",   "get",       "insert",   "mix",
                                              "select", "redis-get", "redis-set"};

static struct {
  int port, operation, connections, depth, space;
  double seconds, warm_up;
  uint64_t count, keys, next;
  const char *operation_name, *user, *password;
} options = {.operation = -1, .connections = 1, .depth = 1, .space = 512, .warm_up = 0.3,
             .keys = 1, .user = "", .password = ""};

struct slot {
  double sent_at;
  enum operation operation;
  int outstanding;
  uint32_t salary;
  char id[ID_BYTES];
};
struct connection {
  int fd, waits_for_room;
  uint8_t *input, *output;
  size_t input_bytes, output_bytes;
  struct slot *slots;
  /* IPROTO answers in any order: `sync` is a slot, and these are free. Redis answers in order: slots go round. */
  uint32_t *free_slots, free_count, sent, answered;
};

/* ---- rows ---- */

static const char *const first_names[] = {"Ann",   "Boris",  "Clara", "Dmitry", "Elena",
                                          "Fedor", "Galina", "Hugo",  "Irina",  "Jan"};
static const char *const last_names[] = {"Ivanova", "Petrov", "Smith", "Novak", "Garcia",
                                         "Kim",     "Olsen",  "Weber", "Rossi", "Tanaka"};
static const char *const departments[] = {"engineering", "sales", "marketing", "finance",  "support",
                                          "legal",       "hr",    "ops",       "security", "research"};
static const char *const positions[] = {"engineer", "manager",   "analyst", "director", "intern",
                                        "lead",     "architect", "clerk",   "agent",    "officer"};
enum { SALARY_MIN = 30000, SALARY_RANGE = 270000, BUCKET_COUNT = 3000 };

static uint32_t mix_bits(uint32_t value) {
  value = (value ^ 0x5bd1e995u) * 0x9e3779b1u;
  value = (value ^ value >> 15) * 0x85ebca6bu;
  return value ^ value >> 13;
}

/* Distinct for each key, and in an order that has nothing to do with that of the keys. */
static void make_id(uint64_t key, char *id) {
  uint32_t scattered = mix_bits((uint32_t)key);
  id[0] = 'e';
  for (int i = 0; i < 8; i++) id[8 - i] = "0123456789abcdef"[scattered >> 4 * i & 15];
  for (int i = 0; i < 7; i++, key /= 36) id[15 - i] = "0123456789abcdefghijklmnopqrstuvwxyz"[key % 36];
}

static uint8_t *put_text(uint8_t *at, const char *text, size_t bytes) {
  *at++ = 0xa0 | bytes; /* fixstr: all texts here are shorter than 32. */
  memcpy(at, text, bytes);
  return at + bytes;
}
static uint8_t *put_u32(uint8_t *at, uint32_t value) {
  *at++ = 0xce;
  for (int shift = 24; shift >= 0; shift -= 8) *at++ = value >> shift;
  return at;
}
static uint8_t *put_u16(uint8_t *at, uint32_t value) {
  *at++ = 0xcd, *at++ = value >> 8, *at++ = value;
  return at;
}

/* [bucket_id, employee_id, name, department, position, salary], about 53 bytes. */
static uint8_t *put_row(uint8_t *at, uint64_t key, const char *id) {
  uint32_t bits = ((uint32_t)key + 7) * 2654435761u;
  char name[32];
  int bytes = snprintf(name, sizeof name, "%s %s", first_names[bits % 10], last_names[(bits >> 4) % 10]);
  *at++ = 0x96;
  at = put_u16(at, mix_bits((uint32_t)key + 1) % BUCKET_COUNT + 1);
  at = put_text(at, id, ID_BYTES);
  at = put_text(at, name, bytes);
  at = put_text(at, departments[(bits >> 8) % 10], strlen(departments[(bits >> 8) % 10]));
  at = put_text(at, positions[(bits >> 12) % 10], strlen(positions[(bits >> 12) % 10]));
  return put_u32(at, SALARY_MIN + bits % SALARY_RANGE);
}

/* ---- reading MessagePack; a reader that runs over its end is marked as broken ---- */

struct reader {
  const uint8_t *at, *end;
  int broken;
};
enum type { NUMBER, TEXT, ARRAY, MAP, OTHER };
struct head {
  enum type type;
  uint64_t value; /* The number, the bytes of a text, the items of an array, the pairs of a map. */
};

static uint64_t read_big_endian(struct reader *reader, int bytes) {
  uint64_t value = 0;
  if (reader->end - reader->at < bytes) return reader->broken = 1, 0;
  while (bytes-- > 0) value = value << 8 | *reader->at++;
  return value;
}

static struct head read_head(struct reader *reader) {
  uint8_t tag = read_big_endian(reader, 1);
  if (tag < 0x80 || tag >= 0xe0) return (struct head){NUMBER, tag};
  if (tag < 0x90) return (struct head){MAP, tag & 15};
  if (tag < 0xa0) return (struct head){ARRAY, tag & 15};
  if (tag < 0xc0) return (struct head){TEXT, tag & 31};
  if (tag <= 0xc3) return (struct head){OTHER, 0};
  if (tag <= 0xc6) return (struct head){TEXT, read_big_endian(reader, 1 << (tag - 0xc4))};
  if (tag <= 0xc9) return (struct head){TEXT, read_big_endian(reader, 1 << (tag - 0xc7)) + 1};
  if (tag <= 0xcb) return (struct head){TEXT, tag == 0xca ? 4 : 8};
  if (tag <= 0xcf) return (struct head){NUMBER, read_big_endian(reader, 1 << (tag - 0xcc))};
  if (tag <= 0xd3) return (struct head){NUMBER, read_big_endian(reader, 1 << (tag - 0xd0))};
  if (tag <= 0xd8) return (struct head){TEXT, (1 << (tag - 0xd4)) + 1};
  if (tag <= 0xdb) return (struct head){TEXT, read_big_endian(reader, 1 << (tag - 0xd9))};
  if (tag <= 0xdd) return (struct head){ARRAY, read_big_endian(reader, 2 << (tag - 0xdc))};
  return (struct head){MAP, read_big_endian(reader, 2 << (tag - 0xde))};
}

static void skip_value(struct reader *reader) {
  for (uint64_t left = 1; left > 0 && !reader->broken; left--) {
    struct head head = read_head(reader);
    if (head.type == ARRAY) left += head.value;
    if (head.type == MAP) left += 2 * head.value;
    if (head.type != TEXT) continue;
    if (head.value > (uint64_t)(reader->end - reader->at)) reader->broken = 1;
    else reader->at += head.value;
  }
}

/* ---- results ---- */

/* Latency in microseconds: exact below 64, then 32 steps for each doubling, which is 3 % or better. */
enum { EXACT = 64, STEPS = 32, HISTOGRAM_SIZE = EXACT + STEPS * 26 };
static uint64_t histogram[HISTOGRAM_SIZE], errors;
static char first_error[240];

static void record_latency(double seconds) {
  uint64_t us = seconds * 1e6;
  if (us < EXACT) histogram[us]++;
  else {
    int doublings = 63 - __builtin_clzll(us) - 5;
    uint64_t place = EXACT + (doublings - 1) * STEPS + (us >> doublings) - STEPS;
    histogram[place < HISTOGRAM_SIZE ? place : HISTOGRAM_SIZE - 1]++;
  }
}
static double percentile_ms(double share) {
  uint64_t total = 0, seen = 0;
  for (int i = 0; i < HISTOGRAM_SIZE; i++) total += histogram[i];
  for (int i = 0; i < HISTOGRAM_SIZE; i++) {
    seen += histogram[i];
    if (total == 0 || seen < share * total) continue;
    if (i < EXACT) return i * 1e-3;
    int doublings = (i - EXACT) / STEPS + 1;
    return (double)((uint64_t)((i - EXACT) % STEPS + STEPS) << doublings) * 1e-3;
  }
  return 0;
}

static void count_error(const char *text, size_t bytes) {
  if (errors++ > 0) return;
  if (bytes >= sizeof first_error) bytes = sizeof first_error - 1;
  for (size_t i = 0; i < bytes; i++)
    first_error[i] = text[i] < 32 || text[i] > 126 || text[i] == '"' || text[i] == '\\' ? '\'' : text[i];
}
static void count_fault(const char *text) { count_error(text, strlen(text)); }

static void die(const char *what) {
  fprintf(stderr, "%s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

/* ---- requests ---- */

static uint64_t random_state = 88172645463325252ull;
static uint32_t random_bits(void) {
  random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
  return random_state >> 16;
}

static uint8_t *put_iproto(uint8_t *at, struct slot *slot, uint64_t key) {
  *at++ = slot->operation == PING ? 0x80 : slot->operation == INSERT ? 0x82 : 0x86;
  if (slot->operation == PING) return at;
  *at++ = 0x10, at = put_u16(at, options.space);
  if (slot->operation == INSERT) return *at++ = 0x21, put_row(at, key, slot->id);
  int is_range = slot->operation == SELECT;
  *at++ = 0x11, *at++ = is_range ? 2 : 0;          /* The index: salary, or the primary one. */
  *at++ = 0x12, *at++ = is_range ? RANGE_ROWS : 1; /* The limit. */
  *at++ = 0x13, *at++ = 0;                         /* The offset. */
  *at++ = 0x14, *at++ = is_range ? 5 : 0;          /* The iterator: GE or EQ. */
  *at++ = 0x20, *at++ = 0x91;
  return is_range ? put_u32(at, slot->salary) : put_text(at, slot->id, ID_BYTES);
}

static uint8_t *put_redis(uint8_t *at, struct slot *slot, uint64_t key) {
  int is_get = slot->operation == REDIS_GET;
  at += sprintf((char *)at, "*%d\r\n$3\r\n%s\r\n$16\r\n", is_get ? 2 : 3, is_get ? "GET" : "SET");
  memcpy(at, slot->id, ID_BYTES), at += ID_BYTES;
  if (is_get) return *at++ = '\r', *at++ = '\n', at;
  uint8_t row[REQUEST_BYTES_MAX];
  size_t bytes = put_row(row, key, slot->id) - row;
  at += sprintf((char *)at, "\r\n$%zu\r\n", bytes);
  memcpy(at, row, bytes), at += bytes;
  return *at++ = '\r', *at++ = '\n', at;
}

static int is_redis(void) { return options.operation >= REDIS_GET; }

static void put_request(struct connection *connection, double time) {
  static const uint8_t types[] = {[PING] = 0x40, [GET] = 0x01, [INSERT] = 0x02, [SELECT] = 0x01};
  uint32_t index = is_redis() ? connection->sent % options.depth : connection->free_slots[--connection->free_count];
  connection->sent++;
  struct slot *slot = &connection->slots[index];
  slot->sent_at = time, slot->outstanding = 1;
  slot->operation = options.operation != MIX ? options.operation : random_bits() % 10 == 0 ? INSERT : GET;
  int is_write = slot->operation == INSERT || slot->operation == REDIS_SET;
  uint64_t key = is_write ? options.next++ : random_bits() % options.keys;
  /* Ten rows or more earn as much in any space that is worth a measurement. */
  if (slot->operation == SELECT) slot->salary = SALARY_MIN + random_bits() % (SALARY_RANGE - 10000);
  else make_id(key, slot->id);
  uint8_t *start = connection->output + connection->output_bytes, *at = start;
  if (is_redis()) at = put_redis(at, slot, key);
  else {
    at += 5;
    *at++ = 0x82, *at++ = 0x00, *at++ = types[slot->operation], *at++ = 0x01, at = put_u32(at, index);
    at = put_iproto(at, slot, key);
    put_u32(start, at - start - 5);
  }
  connection->output_bytes = at - connection->output;
}

/* ---- answers ---- */

static int is_row_of(struct reader *reader, const struct slot *slot) {
  struct head row = read_head(reader);
  if (row.type != ARRAY || row.value != 6) return 0;
  skip_value(reader);
  struct head id = read_head(reader);
  if (reader->broken || id.type != TEXT || id.value != ID_BYTES || reader->end - reader->at < ID_BYTES) return 0;
  return memcmp(reader->at, slot->id, ID_BYTES) == 0;
}

static int are_rows_in_range(struct reader *reader, const struct slot *slot) {
  for (int row = 0; row < RANGE_ROWS; row++) {
    struct head tuple = read_head(reader);
    if (tuple.type != ARRAY || tuple.value != 6) return 0;
    for (int field = 0; field < 5; field++) skip_value(reader);
    struct head salary = read_head(reader);
    if (reader->broken || salary.type != NUMBER || salary.value < slot->salary) return 0;
  }
  return 1;
}

/* The frame without its length: a map of header, a map of body. */
static void check_iproto(struct connection *connection, struct reader reader, double time) {
  uint64_t code = 0, sync = UINT64_MAX;
  struct head header = read_head(&reader);
  for (uint64_t i = 0; i < header.value && !reader.broken; i++) {
    uint64_t name = read_head(&reader).value;
    uint64_t value = read_head(&reader).value;
    if (name == 0x00) code = value;
    if (name == 0x01) sync = value;
  }
  if (header.type != MAP || sync >= (uint64_t)options.depth || !connection->slots[sync].outstanding) {
    count_fault("an answer that belongs to no request");
    exit((fprintf(stderr, "%s\n", first_error), 1));
  }
  struct slot *slot = &connection->slots[sync];
  slot->outstanding = 0;
  connection->free_slots[connection->free_count++] = sync;
  record_latency(time - slot->sent_at);
  if (code == 0 && slot->operation == PING) return;
  struct head body = reader.at < reader.end ? read_head(&reader) : (struct head){MAP, 0};
  for (uint64_t i = 0; i < body.value && !reader.broken; i++) {
    uint64_t name = read_head(&reader).value;
    struct reader value = reader;
    skip_value(&reader);
    struct head head = read_head(&value);
    if (code != 0 && name == 0x31 && !reader.broken) return count_error((const char *)value.at, head.value);
    if (code != 0 || name != 0x30) continue;
    int is_range = slot->operation == SELECT;
    if (head.type != ARRAY || head.value != (is_range ? RANGE_ROWS : 1))
      return count_fault("an answer with another number of rows than asked for");
    if (!(is_range ? are_rows_in_range(&value, slot) : is_row_of(&value, slot)))
      count_fault("an answer with another row than asked for");
    return;
  }
  count_fault(code != 0 ? "an error without a message" : "an answer without data");
}

static void check_redis(struct connection *connection, struct reader reader, double time) {
  struct slot *slot = &connection->slots[connection->answered % options.depth];
  if (!slot->outstanding) count_fault("an answer that belongs to no request");
  slot->outstanding = 0;
  record_latency(time - slot->sent_at);
  if (*reader.at == '-') return count_error((const char *)reader.at + 1, reader.end - reader.at - 1);
  if (slot->operation == REDIS_SET ? memcmp(reader.at, "+OK\r\n", 5) != 0 : reader.at[0] != '$' || reader.at[1] == '-')
    return count_fault("another answer than OK, or no row");
  if (slot->operation == REDIS_SET) return;
  reader.at = memchr(reader.at, '\n', reader.end - reader.at) + 1;
  if (!is_row_of(&reader, slot)) count_fault("an answer with another row than asked for");
}

/* Bytes of the answer that begins here, of which `prefix` come before what is checked; 0: it is not there as a whole. */
static size_t frame_bytes(const uint8_t *at, size_t bytes, size_t *prefix) {
  *prefix = 0;
  if (is_redis()) {
    const uint8_t *line = memchr(at, '\n', bytes);
    if (line == NULL) return 0;
    size_t total = line + 1 - at;
    if (*at == '$' && at[1] != '-') total += atoi((const char *)at + 1) + 2;
    return total <= bytes ? total : 0;
  }
  struct reader reader = {at, at + bytes, 0};
  struct head length = read_head(&reader);
  *prefix = reader.at - at;
  return reader.broken || length.value > bytes - *prefix ? 0 : *prefix + length.value;
}

/* How many answers there were. */
static uint64_t read_answers(struct connection *connection) {
  ssize_t got = read(connection->fd, connection->input + connection->input_bytes, INPUT_BYTES - connection->input_bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got <= 0) errno = got == 0 ? 0 : errno, die("the server closed the connection, or sent too much");
  connection->input_bytes += got;
  size_t from = 0, prefix, bytes;
  uint64_t answers = 0;
  double time = now();
  while (from < connection->input_bytes &&
         (bytes = frame_bytes(connection->input + from, connection->input_bytes - from, &prefix)) > 0) {
    struct reader reader = {connection->input + from + prefix, connection->input + from + bytes, 0};
    (is_redis() ? check_redis : check_iproto)(connection, reader, time);
    connection->answered++, answers++, from += bytes;
  }
  connection->input_bytes -= from;
  memmove(connection->input, connection->input + from, connection->input_bytes);
  return answers;
}

/* ---- connections ---- */

struct sha1 {
  uint8_t bytes[20];
};
/* Of less than 56 bytes, which is one block: what AUTH needs, with a password that is not longer. */
static struct sha1 sha1(const void *data, size_t size) {
  uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, words[80], work[5];
  uint8_t block[64] = {0};
  memcpy(block, data, size);
  block[size] = 0x80, block[62] = size >> 5, block[63] = size << 3;
  for (int i = 0; i < 16; i++)
    words[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 80; i++) {
    uint32_t word = words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16];
    words[i] = word << 1 | word >> 31;
  }
  memcpy(work, state, sizeof work);
  for (int i = 0; i < 80; i++) {
    uint32_t b = work[1], c = work[2], d = work[3];
    uint32_t choice = i < 20   ? (b & c | ~b & d) + 0x5a827999
                      : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                      : i < 60 ? (b & c | b & d | c & d) + 0x8f1bbcdc
                               : (b ^ c ^ d) + 0xca62c1d6;
    uint32_t next = (work[0] << 5 | work[0] >> 27) + choice + work[4] + words[i];
    work[4] = d, work[3] = c, work[2] = b << 30 | b >> 2, work[1] = work[0], work[0] = next;
  }
  struct sha1 digest;
  for (int i = 0; i < 20; i++) digest.bytes[i] = (state[i / 4] + work[i / 4]) >> (24 - 8 * (i % 4));
  return digest;
}

static void read_exactly(int fd, void *into, size_t bytes) {
  for (size_t got = 0; got < bytes;) {
    ssize_t part = read(fd, (uint8_t *)into + got, bytes - got);
    if (part <= 0) errno = part == 0 ? 0 : errno, die("the server closed a new connection");
    got += part;
  }
}

/* chap-sha1: the scramble is sha1(password) xor sha1(salt, sha1(sha1(password))). */
static void log_in(int fd, const char *greeting) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t salted[40], request[128], *at = request + 5, answer[512];
  for (int i = 0, bits = 0, buffer = 0, size = 0; size < 20; i++) {
    buffer = (buffer << 6 | (int)(strchr(digits, greeting[64 + i]) - digits)) & 0xffff, bits += 6;
    if (bits >= 8) bits -= 8, salted[size++] = buffer >> bits;
  }
  struct sha1 once = sha1(options.password, strlen(options.password)), twice = sha1(once.bytes, 20);
  memcpy(salted + 20, twice.bytes, 20);
  struct sha1 scramble = sha1(salted, 40);
  *at++ = 0x82, *at++ = 0x00, *at++ = 0x07, *at++ = 0x01, *at++ = 0;
  *at++ = 0x82, *at++ = 0x23, at = put_text(at, options.user, strlen(options.user));
  *at++ = 0x21, *at++ = 0x92, at = put_text(at, "chap-sha1", 9);
  *at++ = 0xb4;
  for (int i = 0; i < 20; i++) *at++ = once.bytes[i] ^ scramble.bytes[i];
  put_u32(request, at - request - 5);
  if (write(fd, request, at - request) != at - request) die("AUTH cannot be sent");
  size_t got = 0, prefix, bytes;
  do read_exactly(fd, answer + got++, 1);
  while ((bytes = frame_bytes(answer, got, &prefix)) == 0 && got < sizeof answer);
  struct reader reader = {answer + prefix, answer + bytes, 0};
  struct head header = read_head(&reader);
  for (uint64_t i = 0; i < header.value && !reader.broken; i++) {
    uint64_t name = read_head(&reader).value, value = read_head(&reader).value;
    if (name == 0x00 && value != 0) errno = 0, die("AUTH was refused");
  }
}

static void open_connection(struct connection *connection, int poll) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0) die("no connection");
  int on = 1;
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  char greeting[128];
  if (!is_redis()) read_exactly(connection->fd, greeting, sizeof greeting);
  if (!is_redis() && *options.user) log_in(connection->fd, greeting);
  fcntl(connection->fd, F_SETFL, O_NONBLOCK);
  connection->input = malloc(INPUT_BYTES);
  connection->output = malloc(REQUEST_BYTES_MAX * (options.depth + 1));
  connection->slots = calloc(options.depth, sizeof *connection->slots);
  connection->free_slots = calloc(options.depth, sizeof *connection->free_slots);
  for (int i = 0; i < options.depth; i++) connection->free_slots[connection->free_count++] = options.depth - 1 - i;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  epoll_ctl(poll, EPOLL_CTL_ADD, connection->fd, &event);
}

static void flush(struct connection *connection, int poll) {
  ssize_t sent = connection->output_bytes > 0 ? write(connection->fd, connection->output, connection->output_bytes) : 0;
  if (sent < 0 && errno != EAGAIN) die("the server closed the connection");
  if (sent < 0) sent = 0;
  connection->output_bytes -= sent;
  memmove(connection->output, connection->output + sent, connection->output_bytes);
  int waits = connection->output_bytes > 0;
  if (waits == connection->waits_for_room) return;
  connection->waits_for_room = waits;
  struct epoll_event event = {.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = connection};
  epoll_ctl(poll, EPOLL_CTL_MOD, connection->fd, &event);
}

/* ---- the run ---- */

static void read_options(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    char *value = strchr(arguments[i], '=');
    if (value == NULL) errno = 0, die("arguments are NAME=VALUE");
    *value++ = 0;
    const char *name = arguments[i];
    if (!strcmp(name, "port")) options.port = atoi(value);
    else if (!strcmp(name, "connections")) options.connections = atoi(value);
    else if (!strcmp(name, "depth")) options.depth = atoi(value);
    else if (!strcmp(name, "space")) options.space = atoi(value);
    else if (!strcmp(name, "seconds")) options.seconds = atof(value);
    else if (!strcmp(name, "count")) options.count = strtoull(value, NULL, 10);
    else if (!strcmp(name, "keys")) options.keys = strtoull(value, NULL, 10);
    else if (!strcmp(name, "next")) options.next = strtoull(value, NULL, 10);
    else if (!strcmp(name, "user")) options.user = value;
    else if (!strcmp(name, "password")) options.password = value;
    else if (!strcmp(name, "operation")) {
      for (int j = PING; j <= REDIS_SET; j++)
        if (!strcmp(value, operation_names[j])) options.operation = j, options.operation_name = operation_names[j];
    } else errno = 0, die("an argument with an unknown name");
  }
  errno = 0;
  if (options.operation < 0) die("operation is missing or unknown");
  if (options.connections < 1 || options.depth < 1 || options.keys < 1) die("connections, depth and keys are at least 1");
  if (strlen(options.user) > 31 || strlen(options.password) > 55) die("user or password is too long");
}

int main(int argument_count, char **arguments) {
  read_options(argument_count, arguments);
  random_state ^= options.next * 0x9e3779b97f4a7c15ull;
  int poll = epoll_create1(0);
  struct connection *connections = calloc(options.connections, sizeof *connections);
  for (int i = 0; i < options.connections; i++) open_connection(&connections[i], poll);

  double began_at = now(), measured_from = began_at, ended_at = 0;
  uint64_t sent = 0, answered = 0, measured = 0;
  int is_measuring = options.count > 0;
  struct epoll_event events[256];
  for (int i = 0; i < options.connections; i++) {
    struct connection *connection = &connections[i];
    for (int j = 0; j < options.depth && (options.count == 0 || sent < options.count); j++, sent++)
      put_request(connection, now());
    flush(connection, poll);
  }
  while (answered < sent) {
    int ready = epoll_wait(poll, events, 256, PATIENCE_MS);
    if (ready == 0) errno = 0, die("no answer for half a minute");
    double time = now();
    if (!is_measuring && time >= began_at + options.warm_up) {
      is_measuring = 1, measured_from = time, measured = 0;
      memset(histogram, 0, sizeof histogram);
    }
    if (options.count == 0 && ended_at == 0 && time >= began_at + options.warm_up + options.seconds) ended_at = time;
    for (int i = 0; i < ready; i++) {
      struct connection *connection = events[i].data.ptr;
      uint64_t answers = events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? read_answers(connection) : 0;
      answered += answers;
      if (ended_at == 0) measured += answers;
      if (answers > 0) time = now();
      for (; answers > 0 && ended_at == 0 && (options.count == 0 || sent < options.count); answers--, sent++)
        put_request(connection, time);
      flush(connection, poll);
    }
  }
  if (ended_at == 0) ended_at = now();

  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  printf("{\"operation\":\"%s\",\"connections\":%d,\"depth\":%d,\"opsPerSecond\":%.0f,\"p50Ms\":%.3f,\"p99Ms\":%.3f,"
         "\"answers\":%lu,\"errors\":%lu,\"firstError\":\"%s\",\"clientCpuSeconds\":%.3f,\"seconds\":%.3f,\"next\":%lu}\n",
         options.operation_name, options.connections, options.depth, measured / (ended_at - measured_from),
         percentile_ms(0.5), percentile_ms(0.99), answered, errors, first_error, cpu, now() - began_at, options.next);
  return 0;
}
