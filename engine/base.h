/* base.h - words that every file uses: errors, assertions, marks, domain types.
 *
 * Nothing here touches the outside world. Memory comes from memory.h, everything else that a
 * process can ask of its surroundings from io.h. */
#ifndef GANDALF_ENGINE_BASE_H
#define GANDALF_ENGINE_BASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gd_term;    /* Raft term; 0 is "before any election". */
typedef uint64_t gd_index;   /* Raft log index; the first entry is 1; 0 is "before the log". */
typedef uint64_t gd_node_id; /* Cluster member; 0 is "nobody". */
typedef uint64_t gd_time_ns; /* Monotonic time of one process; only differences mean anything. */

/* An index and the term of the entry there: names one entry for all time (Log Matching, Raft
 * paper section 5.3). {0, 0} stands before the log. */
struct gd_position {
    gd_term term;
    gd_index index;
};

/* <0, 0 or >0 as `a` is less, equally or more up to date than `b`: by term, then by index (Raft
 * paper section 5.4.1). The only place where two positions are compared. */
int gd_position_compare(struct gd_position a, struct gd_position b);

/* A borrowed view of bytes. `data` may be NULL when `size` is 0. */
struct gd_slice {
    const uint8_t *data;
    size_t size; /* Bytes. */
};

/* X(name, number, text). Numbers appear in traces: never renumber or reuse. */
#define GD_ERR_MAP(X)                                                                              \
    X(GD_OK, 0, "ok")                                                                              \
    X(GD_ERR_IO, -1, "input/output error")                                                         \
    X(GD_ERR_CORRUPT, -2, "stored data is damaged")                                                \
    X(GD_ERR_BUSY, -3, "a limit is reached")                                                       \
    X(GD_ERR_NO_SPACE, -4, "no space left on the disk")                                            \
    X(GD_ERR_NOT_FOUND, -5, "not found")                                                           \
    X(GD_ERR_EXISTS, -6, "already there")                                                          \
    X(GD_ERR_END, -7, "end of stream")                                                             \
    X(GD_ERR_RESET, -8, "connection reset")                                                        \
    X(GD_ERR_REFUSED, -9, "connection refused")                                                    \
    X(GD_ERR_UNREACHABLE, -10, "host not reachable")                                               \
    X(GD_ERR_TIMEOUT, -11, "timed out")                                                            \
    X(GD_ERR_CANCELED, -12, "canceled")                                                            \
    X(GD_ERR_INVALID, -13, "invalid")                                                              \
    X(GD_ERR_TOO_LARGE, -14, "too large")                                                          \
    X(GD_ERR_VERSION, -15, "unknown version")                                                      \
    X(GD_ERR_NOT_LEADER, -16, "not the leader")                                                    \
    X(GD_ERR_ADDRESS_IN_USE, -17, "address in use")                                                \
    X(GD_ERR_PERMISSION, -18, "permission denied")                                                 \
    X(GD_ERR_MORE, -19, "more bytes needed")                                                       \
    X(GD_ERR_STOPPED, -20, "stopped")                                                              \
    X(GD_ERR_UNKNOWN, -21, "outcome unknown")
#define GD_ERR_ENUM(name, number, text) name = (number),
enum gd_err { GD_ERR_MAP(GD_ERR_ENUM) };

/* The table's text; never NULL; static. */
const char *gd_err_text(enum gd_err err);

/* What is told at the edges (open, config, decode): one line of what, where, what to do. */
#define GD_ERROR_TEXT_SIZE 512
struct gd_error {
    enum gd_err code;
    char text[GD_ERROR_TEXT_SIZE]; /* Always terminated; no newline. */
};

#define GD_MUST_CHECK __attribute__((warn_unused_result))
#define GD_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* Fills `*error` (may be NULL) and returns `code`, so that callers can `return gd_error_set(...)`.
 */
enum gd_err gd_error_set(struct gd_error *error, enum gd_err code, const char *format, ...)
    GD_PRINTF(3, 4);

/* On in release. For programmers' errors only: bytes from a disk, a peer or a client are never
 * asserted on; they are refused, counted, logged. */
#define GD_ASSERT(cond) ((cond) ? (void)0 : gd_assert_fail(__FILE__, __LINE__, #cond))
/* The same for costly conditions: on in debug, simulator, sanitizer and fuzz builds. */
#ifdef GD_VERIFY_ENABLED
#define GD_VERIFY(cond) GD_ASSERT(cond)
#else
#define GD_VERIFY(cond) ((void)sizeof((cond) ? 1 : 0))
#endif
/* Provided by the world (io-real: prints and aborts; io-sim: names seed and node, too). */
_Noreturn void gd_assert_fail(const char *file, int line, const char *cond);

/* A rare event worth reaching: a counter in a section of its own, so that a simulator can list
 * every mark, those never reached too. One increment; nothing reads it in production. The one
 * exception to "no file-scope mutable state": it is written only, never read by the engine. */
struct gd_mark {
    const char *text; /* Static. */
    const char *file; /* Static. */
    int line;
    uint64_t count; /* Times reached since the program began. */
};
#define GD_REACHED(what)                                                                           \
    do {                                                                                           \
        static struct gd_mark gd_mark_here = {(what), __FILE__, __LINE__, 0};                      \
        static struct gd_mark *const gd_mark_link __attribute__((section("gd_marks"), used)) =     \
            &gd_mark_here;                                                                         \
        (void)gd_mark_link;                                                                        \
        gd_mark_here.count++;                                                                      \
    } while (0)

#define GD_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GD_CONTAINER(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define GD_NS_PER_MS UINT64_C(1000000)
#endif
