// SPDX-License-Identifier: Apache-2.0
/*
 * What is left on a disk whose server or power went away, against the log of who wrote to it. Knows nothing but a file and a log.
 *
 * survivors [--power] [--state FILE] BLOCK_SIZE DISK LOG
 *
 * A block of BLOCK_SIZE bytes is words of 8 bytes, little-endian: its number; the generation of the write that it is of; words that
 * follow from these two; a checksum of all before it. A block that was never written is zero, of generation 0.
 *
 * LOG is records of 32 bytes, appended one by one: by the writer before a command is given to the disk, and after its completion was seen.
 *
 *   0     u8   what: 1 a write begins, 2 it has ended, 3 a flush begins, 4 it has ended, 5 whatever is under way has no end
 *   1     u8   of 1: 1 if the write is to be durable before it ends (Force Unit Access), else 0
 *   2     u16  of 2 and 4: the status, 0 if it is done
 *   4     u32  of 1: how many blocks
 *   8     u64  generation of the write, or number of the flush
 *   16    u64  of 1: the first block
 *   24    u64  nothing
 *
 * What a block may be of: every write that has begun, but those that had ended before another one began which is firm. A write is firm
 * when it has ended well, since a killed process does not lose what the kernel has; with --power, when it was durable or a flush that
 * began after its end has ended well. So a block is
 *
 *   torn      if it is not of one generation as a whole,
 *   lost      if it is of a write that a firm one had replaced, or of none although a firm one was there,
 *   foreign   if it is whole, and of no write of this block.
 *
 * Exit status 0 if no block is any of these, 1 if one is, 2 if there is no answer. With --state, what each block was found to be is kept in
 * a file, and is what the next log begins with; without the file a disk begins with zeroes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BEGINS = 1, WRITE_ENDED = 2, FLUSH_BEGINS = 3, FLUSH_ENDED = 4, NO_END = 5, RECORD = 32, PIECE = 1 << 20, MOST_TOLD = 10 };

/* A write's place in the log until which it can have an effect. */
#define OPEN UINT64_MAX

struct write {
    uint64_t generation, block, begin, end;
    uint32_t count;
    int durable, done, firm;
    int new_blocks, old_blocks;
};

/* The writes that a block may be of, as indexes into `writes`; the first one stands for what was there before. */
struct candidates {
    uint32_t *of;
    uint32_t count, room;
    int has_firm;
};

static struct write *writes;
static uint32_t write_count, write_room;
static uint32_t *by_hash;
static uint32_t hash_size;
static struct candidates *blocks;
static uint64_t *before; /* generation of each block at the beginning */
static uint64_t block_count;
static uint32_t block_size;
static int needs_power;

static void fail(const char *what)
{
    fprintf(stderr, "survivors: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(2);
}

static void *grow(void *memory, size_t bytes)
{
    void *larger = realloc(memory, bytes);
    if (larger == NULL) fail("no memory");
    return larger;
}

static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    return bits ^ (bits >> 31);
}

static uint64_t word(const unsigned char *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | at[i];
    return value;
}

static uint32_t half(const unsigned char *at)
{
    return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t place_of(uint64_t generation)
{
    uint32_t place = mix(generation) & (hash_size - 1);
    while (by_hash[place] != UINT32_MAX && writes[by_hash[place]].generation != generation) place = (place + 1) & (hash_size - 1);
    return place;
}

static struct write *find(uint64_t generation)
{
    uint32_t index = hash_size == 0 ? UINT32_MAX : by_hash[place_of(generation)];
    return index == UINT32_MAX ? NULL : &writes[index];
}

static uint32_t add_write(struct write new)
{
    if (write_count == write_room) {
        write_room = write_room ? 2 * write_room : 1024;
        writes = grow(writes, write_room * sizeof *writes);
        hash_size = 4 * write_room;
        by_hash = grow(by_hash, hash_size * sizeof *by_hash);
        memset(by_hash, 0xff, hash_size * sizeof *by_hash);
        for (uint32_t i = 0; i < write_count; i++) by_hash[place_of(writes[i].generation)] = i;
    }
    writes[write_count] = new;
    by_hash[place_of(new.generation)] = write_count;
    return write_count++;
}

static void add_candidate(struct candidates *block, uint32_t index)
{
    if (block->count == block->room) {
        block->room = block->room ? 2 * block->room : 4;
        block->of = grow(block->of, block->room * sizeof *block->of);
    }
    block->of[block->count++] = index;
}

/* From now on the blocks of this write are of it, or of one that has not ended before it began. */
static void make_firm(struct write *write)
{
    if (write->firm) return;
    write->firm = 1;
    for (uint64_t b = write->block; b < write->block + write->count; b++) {
        struct candidates *block = &blocks[b];
        uint32_t kept = 0;
        for (uint32_t i = 0; i < block->count; i++) {
            struct write *other = &writes[block->of[i]];
            if (other == write || other->end == OPEN || other->end > write->begin) block->of[kept++] = block->of[i];
        }
        block->count = kept;
        block->has_firm = 1;
    }
}

static uint64_t acknowledged, flushed, flushes, unended, ill;

static void read_log(const char *name)
{
    FILE *log = fopen(name, "rb");
    unsigned char record[RECORD];
    size_t length;
    uint64_t at = 0;
    struct flush {
        uint64_t number, begin;
        struct flush *next;
    } *open_flushes = NULL;
    uint32_t soft = 0; /* every write before this one is firm, or has no end yet or an ill one */
    if (log == NULL) fail(name);
    while ((length = fread(record, 1, RECORD, log)) == RECORD) {
        uint64_t generation = word(record + 8);
        unsigned status = record[2] | record[3] << 8;
        struct write *write;
        at++;
        switch (record[0]) {
        case WRITE_BEGINS: {
            struct write new = {.generation = generation, .block = word(record + 16), .begin = at, .end = OPEN,
                                .count = half(record + 4), .durable = record[1] & 1};
            if (generation == 0 || find(generation) != NULL) fail("the log has a generation twice");
            if (new.count == 0 || new.block + new.count > block_count) fail("the log has a write that is not on the disk");
            uint32_t index = add_write(new);
            for (uint64_t b = new.block; b < new.block + new.count; b++) add_candidate(&blocks[b], index);
            break;
        }
        case WRITE_ENDED:
            write = find(generation);
            if (write == NULL || write->end != OPEN) fail("the log has the end of a write that is not under way");
            write->end = at;
            write->done = status == 0;
            if (!write->done) {
                ill++;
                break;
            }
            acknowledged += write->count;
            if (write->durable) flushed += write->count;
            if (!needs_power || write->durable) make_firm(write);
            break;
        case FLUSH_BEGINS: {
            struct flush *new = grow(NULL, sizeof *new);
            *new = (struct flush){generation, at, open_flushes};
            open_flushes = new;
            break;
        }
        case FLUSH_ENDED: {
            struct flush **link = &open_flushes, *flush;
            while (*link != NULL && (*link)->number != generation) link = &(*link)->next;
            flush = *link;
            if (flush == NULL) fail("the log has the end of a flush that is not under way");
            *link = flush->next;
            if (status == 0) {
                flushes++;
                if (needs_power) {
                    int all = 1;
                    for (uint32_t i = soft; i < write_count; i++) {
                        write = &writes[i];
                        if (write->done && !write->firm && write->end < flush->begin) {
                            make_firm(write);
                            flushed += write->count;
                        }
                        all &= write->firm || (write->end != OPEN && !write->done);
                        if (all) soft = i + 1;
                    }
                }
            }
            free(flush);
            break;
        }
        case NO_END:
            for (uint32_t i = 1; i < write_count; i++)
                if (writes[i].end == OPEN) {
                    writes[i].end = at;
                    unended++;
                }
            while (open_flushes != NULL) {
                struct flush *next = open_flushes->next;
                free(open_flushes);
                open_flushes = next;
            }
            break;
        default: fail("the log has a record that is none");
        }
    }
    if (length != 0) fail("the log ends within a record");
    fclose(log);
}

static int is_zero(const unsigned char *block)
{
    for (uint32_t i = 0; i < block_size; i++)
        if (block[i] != 0) return 0;
    return 1;
}

/* Whether a block has what a write of this generation put there. */
static int is_of(const unsigned char *block, uint64_t number, uint64_t generation)
{
    uint32_t words = block_size / 8;
    uint64_t expected = mix(number + mix(generation)), sum = 0;
    for (uint32_t i = 0; i < words; i++, expected += 0x9e3779b97f4a7c15) {
        uint64_t there = word(block + 8 * i);
        uint64_t right = i == 0 ? number : i == 1 ? generation : i == words - 1 ? sum : expected;
        if (there != right) return 0;
        sum = (sum ^ there) * 0x100000001b3;
    }
    return 1;
}

static uint64_t torn, lost, foreign, told;

static void tell(const char *what, uint64_t number, uint64_t generation, const unsigned char *block)
{
    if (told++ >= MOST_TOLD) return;
    printf("%s: block %" PRIu64 ", generation %" PRIu64 "; words say number %" PRIu64 ", generation %" PRIu64 "; it may be of", what, number,
           generation, word(block), word(block + 8));
    for (uint32_t i = 0; i < blocks[number].count; i++) {
        struct write *write = &writes[blocks[number].of[i]];
        printf(" %" PRIu64 "%s", blocks[number].of[i] == 0 ? before[number] : write->generation, write->end == OPEN ? " (under way)" : "");
    }
    printf("\n");
}

/* Judges a block; returns its generation. */
static uint64_t judge(const unsigned char *block, uint64_t number)
{
    uint64_t generation = 0;
    struct candidates *may_be = &blocks[number];
    uint32_t found = UINT32_MAX;
    if (!is_zero(block)) {
        generation = word(block + 8);
        if (!is_of(block, number, generation)) {
            uint64_t of = word(block);
            if (of != number && is_of(block, of, generation)) {
                foreign++;
                tell("foreign", number, generation, block);
            } else {
                torn++;
                tell("torn", number, generation, block);
            }
            return generation;
        }
    }
    for (uint32_t i = 0; i < may_be->count; i++) {
        uint32_t index = may_be->of[i];
        if ((index == 0 ? before[number] : writes[index].generation) == generation) found = index;
    }
    if (found == UINT32_MAX) {
        struct write *write = find(generation);
        if (generation == 0 || (write != NULL && write->block <= number && number < write->block + write->count) ||
            before[number] == generation) {
            lost++;
            tell("lost", number, generation, block);
        } else {
            foreign++;
            tell("foreign", number, generation, block);
        }
    }
    return generation;
}

int main(int argc, char **argv)
{
    const char *state = NULL;
    struct stat status;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--power") == 0)
            needs_power = 1;
        else if (strcmp(argv[at], "--state") == 0 && at + 1 < argc)
            state = argv[++at];
        else
            at = argc;
    }
    if (argc - at != 3 || ((block_size = (uint32_t)atoi(argv[at])) != 512 && block_size != 4096)) {
        fprintf(stderr, "usage: survivors [--power] [--state FILE] 512|4096 DISK LOG\n");
        return 2;
    }
    int fd = open(argv[at + 1], O_RDONLY);
    if (fd < 0 || fstat(fd, &status) != 0) fail(argv[at + 1]);
    if (status.st_size == 0 || status.st_size % PIECE != 0) fail("the disk is no multiple of 1 MiB");
    block_count = (uint64_t)status.st_size / block_size;
    /* Read, not mapped: a hole of a full tmpfs cannot be mapped. */
    unsigned char *piece = grow(NULL, PIECE);
    blocks = grow(NULL, block_count * sizeof *blocks);
    memset(blocks, 0, block_count * sizeof *blocks);
    before = grow(NULL, block_count * sizeof *before);
    memset(before, 0, block_count * sizeof *before);

    FILE *kept = state == NULL ? NULL : fopen(state, "rb");
    if (kept != NULL) {
        if (fread(before, sizeof *before, block_count, kept) != block_count) fail(state);
        fclose(kept);
    }
    errno = 0;
    add_write((struct write){.generation = 0}); /* what was there before; it has ended before all others began */
    for (uint64_t b = 0; b < block_count; b++) add_candidate(&blocks[b], 0);
    read_log(argv[at + 2]);

    uint64_t owned = 0, older = 0;
    for (uint64_t b = 0; b < block_count; b++) {
        uint64_t last = before[b];
        owned += (uint64_t)blocks[b].has_firm;
        for (uint32_t i = 0; i < blocks[b].count; i++) {
            uint32_t index = blocks[b].of[i];
            if (index != 0 && writes[index].done) last = writes[index].generation;
        }
        uint64_t offset = b * block_size;
        if (offset % PIECE == 0 && pread(fd, piece, PIECE, (off_t)offset) < block_size) fail(argv[at + 1]);
        uint64_t is = judge(piece + offset % PIECE, b);
        struct write *of = find(is);
        older += is != last && (of == NULL || is == 0 || of->done);
        for (uint32_t i = 0; i < blocks[b].count; i++) {
            struct write *write = &writes[blocks[b].of[i]];
            if (blocks[b].of[i] != 0 && !write->done) {
                write->new_blocks += is == write->generation;
                write->old_blocks += is != write->generation;
            }
        }
        before[b] = is;
    }
    uint64_t halves = 0, whole = 0;
    for (uint32_t i = 1; i < write_count; i++) {
        halves += writes[i].new_blocks > 0 && writes[i].old_blocks > 0;
        whole += writes[i].new_blocks > 0 && writes[i].old_blocks == 0;
        unended += writes[i].end == OPEN;
    }
    printf("blocks %" PRIu64 "\n", block_count);
    printf("writes %" PRIu32 "\n", write_count - 1);
    printf("acknowledged %" PRIu64 "\n", acknowledged); /* blocks, each time */
    printf("flushed %" PRIu64 "\n", flushed);           /* those of them that were durable; without --power, by themselves */
    printf("flushes %" PRIu64 "\n", flushes);
    printf("owned %" PRIu64 "\n", owned);   /* blocks of which a firm write tells what they must be */
    printf("ill %" PRIu64 "\n", ill);       /* writes that ended with an error */
    printf("unended %" PRIu64 "\n", unended); /* writes without an end */
    printf("halves %" PRIu64 "\n", halves); /* writes without a good end of which some blocks are there and others are not */
    printf("taken %" PRIu64 "\n", whole);   /* those of which all are there */
    printf("older %" PRIu64 "\n", older);   /* blocks that are of an earlier write than the last one that ended well */
    printf("torn %" PRIu64 "\n", torn);
    printf("lost %" PRIu64 "\n", lost);
    printf("foreign %" PRIu64 "\n", foreign);
    int is_right = torn + lost + foreign == 0;
    if (state != NULL && is_right) {
        kept = fopen(state, "wb");
        if (kept == NULL || fwrite(before, sizeof *before, block_count, kept) != block_count || fclose(kept) != 0) fail(state);
    }
    return is_right ? 0 : 1;
}
