// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.model.nvme.FaultKernel.Answer;
import io.jvfio.model.nvme.FaultKernel.Call;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Completion;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every I/O command on a file of which one system call fails, in every way and by both kinds of
 * {@link FileIo}: when the command is the first of its kind, and when 20,000 of them have gone
 * before, so that all of its code is compiled.
 */
class NvmeStorageFaultsTest {
  private static final int MANY = 20_000;
  private static final int SIZE = 1 << 20;
  private static final int BLOCK = 512;

  private static final int FLUSH = 0;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int COMPARE = 5;
  private static final int WRITE_ZEROES = 8;
  private static final int DATASET_MANAGEMENT = 9;
  private static final int VERIFY = 0x0c;
  private static final int COPY = 0x19;
  private static final int FORCE_UNIT_ACCESS = 1 << 30;

  /** What every command is about: 8 blocks from here on, and where Copy copies to. */
  private static final int FIRST = 64;

  private static final int BLOCKS = 8;
  private static final int TARGET = 128;

  /** Where others work, each at its own. */
  private static final int OTHERS = 1024;

  private static final int SPARE = 1536;

  private static final long OTHER_DATA = 0x20_0000;
  private static final long RANGES = 0x30_0000;
  private static final long LOG = 0x31_0000;
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final int ENTRIES = 64;

  private static final int DNR = 0x4000;
  private static final int MEMORY = 0x004;
  private static final int PROTECTED = 0x020 | DNR;
  private static final int CAPACITY = 0x081 | DNR;
  private static final int WRITE_FAULT = 0x280 | DNR;
  private static final int READ_ERROR = 0x281 | DNR;

  @TempDir Path directory;

  /** A command, and which of its system calls goes wrong. */
  enum Subject {
    READ_(Kind.READ),
    WRITE_(Kind.WRITE),
    DURABLE_WRITE(Kind.WRITE),
    DURABLE_WRITE_AT_ITS_FLUSH(Kind.SYNC),
    FLUSH_(Kind.SYNC),
    COMPARE_(Kind.READ),
    VERIFY_(Kind.READ),
    ZEROES(Kind.ALLOCATE),
    ZEROES_BY_WRITING(Kind.WRITE),
    DURABLE_ZEROES_AT_THEIR_FLUSH(Kind.SYNC),
    DEALLOCATE(Kind.ALLOCATE),
    COPY_AT_ITS_READ(Kind.READ),
    COPY_AT_ITS_WRITE(Kind.WRITE),
    DURABLE_COPY_AT_ITS_FLUSH(Kind.SYNC);

    final Kind kind;

    Subject(Kind kind) {
      this.kind = kind;
    }

    boolean isWrite() {
      return name().contains("WRITE") && !name().contains("COPY") && this != ZEROES_BY_WRITING;
    }

    boolean isCopy() {
      return name().contains("COPY");
    }

    /** Whether the kernel itself reads or writes the client's memory. */
    boolean transfersClientMemory() {
      return this == READ_ || this == WRITE_ || this == DURABLE_WRITE;
    }

    /** Command for blocks from {@code first} on, which Copy writes and all others work at. */
    Command command(int first, long data) {
      int count = BLOCKS - 1;
      return switch (this) {
        case READ_ -> new Command(READ, 1, data, 0, first, 0, count);
        case WRITE_ -> new Command(WRITE, 1, data, 0, first, 0, count);
        case DURABLE_WRITE, DURABLE_WRITE_AT_ITS_FLUSH ->
            new Command(WRITE, 1, data, 0, first, 0, count | FORCE_UNIT_ACCESS);
        case FLUSH_ -> new Command(FLUSH, 1, 0, 0, 0, 0, 0);
        case COMPARE_ -> new Command(COMPARE, 1, data, 0, first, 0, count);
        case VERIFY_ -> new Command(VERIFY, 1, 0, 0, first, 0, count);
        case ZEROES, ZEROES_BY_WRITING -> new Command(WRITE_ZEROES, 1, 0, 0, first, 0, count);
        case DURABLE_ZEROES_AT_THEIR_FLUSH ->
            new Command(WRITE_ZEROES, 1, 0, 0, first, 0, count | FORCE_UNIT_ACCESS);
        case DEALLOCATE -> new Command(DATASET_MANAGEMENT, 1, RANGES, 0, 0, 4, 0);
        case COPY_AT_ITS_READ, COPY_AT_ITS_WRITE -> new Command(COPY, 1, RANGES, 0, first, 0, 0);
        case DURABLE_COPY_AT_ITS_FLUSH ->
            new Command(COPY, 1, RANGES, 0, first, 0, FORCE_UNIT_ACCESS);
      };
    }
  }

  /** What goes wrong with the call. */
  @SuppressWarnings("ImmutableEnumChecker") // an errno is immutable
  enum Fault {
    EIO(Errno.EIO),
    ENOSPC(Errno.ENOSPC),
    EDQUOT(Errno.EDQUOT),
    EROFS(Errno.EROFS),
    EFAULT(Errno.EFAULT),
    NOTHING_DONE(null),
    SHORT_AND_THEN_THE_REST(null),
    SHORT_AND_THEN_EIO(Errno.EIO),
    CANCELLED_ONCE(Errno.ECANCELED),
    INTERRUPTED_ONCE(Errno.EINTR),
    TRY_AGAIN_ONCE(Errno.EAGAIN),
    SLOW(null);

    final @Nullable Errno errno;

    Fault(@Nullable Errno errno) {
      this.errno = errno;
    }

    boolean isFor(Subject subject) {
      return switch (this) {
        case EFAULT -> subject.transfersClientMemory();
        case NOTHING_DONE, SHORT_AND_THEN_THE_REST, SHORT_AND_THEN_EIO ->
            subject.kind == Kind.READ || subject.kind == Kind.WRITE;
        default -> true;
      };
    }

    boolean isOvercome() {
      return switch (this) {
        case SHORT_AND_THEN_THE_REST, CANCELLED_ONCE, INTERRUPTED_ONCE, TRY_AGAIN_ONCE, SLOW ->
            true;
        default -> false;
      };
    }

    int status(Subject subject) {
      if (isOvercome()) {
        return 0;
      }
      return switch (subject.kind) {
        case READ -> this == EFAULT ? MEMORY : READ_ERROR;
        case SYNC -> WRITE_FAULT;
        case WRITE, ALLOCATE ->
            switch (this) {
              case EFAULT -> MEMORY;
              case ENOSPC, EDQUOT -> CAPACITY;
              case EROFS -> PROTECTED;
              default -> WRITE_FAULT;
            };
      };
    }

    /** What becomes of the call, the {@code times}th time, from 1 on. */
    Answer answer(int times) {
      return switch (this) {
        case EIO, ENOSPC, EDQUOT, EROFS, EFAULT -> FaultKernel.errno(Objects.requireNonNull(errno));
        case NOTHING_DONE -> new Answer.Result(0);
        case SHORT_AND_THEN_THE_REST -> times == 1 ? new Answer.Cut(BLOCK) : FaultKernel.MADE;
        case SHORT_AND_THEN_EIO ->
            times == 1 ? new Answer.Cut(BLOCK) : FaultKernel.errno(Objects.requireNonNull(errno));
        case CANCELLED_ONCE, INTERRUPTED_ONCE, TRY_AGAIN_ONCE ->
            times == 1 ? FaultKernel.errno(Objects.requireNonNull(errno)) : FaultKernel.MADE;
        case SLOW -> FaultKernel.HELD;
      };
    }
  }

  /** How many commands of each kind this JVM has carried out, by each kind of calls. */
  private static final Map<Subject, int[]> CARRIED_OUT = new EnumMap<>(Subject.class);

  static Stream<Arguments> faults() {
    return Stream.of(false, true)
        .flatMap(
            byRing ->
                Stream.of(Subject.values())
                    .flatMap(
                        subject ->
                            Stream.of(Fault.values())
                                .filter(fault -> fault.isFor(subject))
                                .map(fault -> Arguments.of(byRing, subject, fault))));
  }

  @ParameterizedTest(name = "{1}, {2}, by ring {0}")
  @MethodSource("faults")
  void isTheErrorOfOneCommandAndOfNoOther(boolean byRing, Subject subject, Fault fault)
      throws IOException {
    boolean isLasting = subject.kind == Kind.SYNC && !fault.isOvercome();
    var cold = new Case(byRing, subject, fault);
    try (cold) {
      cold.check();
      if (!isLasting) {
        checkHot(cold);
      }
    }
    if (isLasting) {
      try (var hot = new Case(byRing, subject, fault)) {
        checkHot(hot);
      }
    }
  }

  private static void checkHot(Case each) throws IOException {
    int[] counts = CARRIED_OUT.computeIfAbsent(each.subject, _ -> new int[2]);
    int at = each.isByRing ? 1 : 0;
    for (; counts[at] < MANY; counts[at] += ENTRIES - 1) {
      each.runMany();
    }
    each.check();
  }

  private final class Case implements AutoCloseable {
    final boolean isByRing;
    final Subject subject;
    final Fault fault;
    final Path file = directory.resolve("disk");
    final FaultKernel kernel = new FaultKernel();
    final HandClock clock = new HandClock();
    final LogLines log = new LogLines();
    final NvmeHost host;
    final NvmeHost.Queues queue;
    final byte[] expected = new byte[SIZE];
    final AtomicInteger hits = new AtomicInteger();

    long errors;
    int fill = 0x6a;

    Case(boolean byRing, Subject subject, Fault fault) throws IOException {
      isByRing = byRing;
      this.subject = subject;
      this.fault = fault;
      for (int i = 0; i < SIZE; i++) {
        expected[i] = value(i / BLOCK);
      }
      Files.write(file, expected);
      var options =
          NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE))
              .withKernel(kernel)
              .withWake(clock);
      host = new NvmeHost(byRing ? options : options.withoutRing(), true);
      host.enable();
      queue = host.createQueues(1, SQ, CQ, ENTRIES);
      putRange(FIRST);
      if (subject == Subject.ZEROES_BY_WRITING) {
        kernel.rule(this::cannotAllocate);
        assertThat(queue.run(subject.command(SPARE, DATA)).status()).isZero();
        Arrays.fill(expected, SPARE * BLOCK, (SPARE + BLOCKS) * BLOCK, (byte) 0);
      }
    }

    private @Nullable Answer cannotAllocate(Call call) {
      return call.kind() == Kind.ALLOCATE ? FaultKernel.errno(Errno.EOPNOTSUPP) : null;
    }

    /** What a block has; no neighbour has the same. */
    private static byte value(long block) {
      return (byte) (1 + block % 101);
    }

    /** Puts into memory what blocks have. */
    private void copyExpected(long iova, int first) {
      int size = BLOCKS * BLOCK;
      MemorySegment.copy(
          MemorySegment.ofArray(expected), (long) first * BLOCK, host.memory, iova, size);
    }

    /** The one range of Dataset Management and of Copy: where they read, and what they clear. */
    private void putRange(int first) {
      host.memory.asSlice(RANGES, 64).fill((byte) 0);
      if (subject == Subject.DEALLOCATE) {
        host.memory.set(LE32, RANGES + 4, BLOCKS);
        host.memory.set(LE64, RANGES + 8, first);
      } else {
        host.memory.set(LE64, RANGES + 8, first);
        host.memory.set(LE16, RANGES + 16, (short) (BLOCKS - 1));
      }
    }

    /** Carries out as many commands as the queue takes. */
    void runMany() {
      copyExpected(DATA, FIRST);
      for (int i = 0; i < ENTRIES - 1; i++) {
        queue.put(subject.command(subject.isCopy() ? TARGET + 64 + i * BLOCKS : FIRST, DATA));
      }
      queue.ring();
      var completions = queue.await(ENTRIES - 1);
      queue.acknowledge();
      assertThat(completions).hasSize(ENTRIES - 1).allMatch(each -> each.status() == 0);
      refill();
    }

    /** What was written by {@link #runMany} is as before, or as it is expected to be. */
    private void refill() {
      if (subject.isCopy()) {
        for (int i = 0; i < (ENTRIES - 1) * BLOCKS; i++) {
          int at = (TARGET + 64 + i) * BLOCK;
          System.arraycopy(expected, (FIRST + i % BLOCKS) * BLOCK, expected, at, BLOCK);
        }
      } else if (subject.isWrite()) {
        MemorySegment.copy(
            host.memory, DATA, MemorySegment.ofArray(expected), FIRST * BLOCK, BLOCKS * BLOCK);
      } else if (subject.name().contains("ZEROES") || subject == Subject.DEALLOCATE) {
        Arrays.fill(expected, FIRST * BLOCK, (FIRST + BLOCKS) * BLOCK, (byte) 0);
      }
    }

    private @Nullable Answer inject(Call call) {
      boolean isVictim =
          call.kind() == subject.kind
              && (call.kind() == Kind.SYNC || call.touches(victim() * BLOCK, BLOCKS * BLOCK));
      if (isVictim) {
        int times = hits.incrementAndGet();
        if (call.kind() != Kind.SYNC || !fault.answer(times).equals(FaultKernel.MADE)) {
          return fault.answer(times);
        }
      }
      return null;
    }

    private long victim() {
      return subject.isCopy() && subject.kind == Kind.WRITE ? TARGET : FIRST;
    }

    void check() throws IOException {
      assertThat(log.take()).isEmpty();
      clock.advance(2_000_000_000); // or else the operator is not told of the same so soon
      hits.set(0);
      kernel.rule(this::inject);
      var command = subject.command(subject.isCopy() ? TARGET : FIRST, DATA);
      copyExpected(DATA, FIRST);
      if (subject.isWrite() || subject == Subject.READ_) {
        host.memory.asSlice(DATA, BLOCKS * BLOCK).fill((byte) ++fill);
      }
      int victim = queue.put(command);
      var others = putOthers();
      queue.ring();

      var completions = new ArrayList<Completion>();
      if (fault == Fault.SLOW) {
        kernel.awaitHeld(1, host);
        completions.addAll(queue.await(others.size()));
        assertThat(completions).extracting(Completion::commandId).doesNotContain(victim);
        for (int second = 0; second < 60; second++) {
          clock.advance(1_000_000_000);
          host.settle();
          assertThat(queue.takeAll()).isEmpty();
        }
        checkRegisters();
        kernel.rule(null);
        kernel.releaseAll();
      }
      completions.addAll(queue.await(others.size() + 1 - completions.size()));
      queue.acknowledge();

      assertThat(completions).hasSize(others.size() + 1);
      for (var each : completions) {
        int status = each.commandId() == victim ? fault.status(subject) : 0;
        assertThat(each.status()).as("status of %s", each).isEqualTo(status);
      }
      assertThat(hits.get()).isPositive();
      kernel.rule(null);
      checkOthers();
      checkVictim();
      checkErrorLog(victim, command);
      checkLog();
      checkLife();
      assertThat(host.leases).hasValue(0);
    }

    /** Others at the same time: a read, a write, and a comparison. */
    private List<Integer> putOthers() {
      host.memory.asSlice(OTHER_DATA, 0x3000).fill((byte) 0x66);
      copyExpected(OTHER_DATA + 0x2000, OTHERS + 200);
      int last = BLOCKS - 1;
      Arrays.fill(expected, (OTHERS + 100) * BLOCK, (OTHERS + 100 + BLOCKS) * BLOCK, (byte) 0x66);
      return List.of(
          queue.put(new Command(READ, 1, OTHER_DATA, 0, OTHERS, 0, last)),
          queue.put(new Command(WRITE, 1, OTHER_DATA + 0x1000, 0, OTHERS + 100, 0, last)),
          queue.put(new Command(COMPARE, 1, OTHER_DATA + 0x2000, 0, OTHERS + 200, 0, last)));
    }

    private void checkOthers() {
      assertThat(mismatch(OTHER_DATA, OTHERS)).isEqualTo(-1);
    }

    /** Where memory has something else than blocks have. */
    private long mismatch(long iova, int first) {
      long size = (long) BLOCKS * BLOCK;
      return host.memory
          .asSlice(iova, size)
          .mismatch(MemorySegment.ofArray(expected).asSlice((long) first * BLOCK, size));
    }

    private void checkVictim() throws IOException {
      boolean isDone = fault.isOvercome() || subject.kind == Kind.SYNC;
      if (subject == Subject.READ_ && isDone) {
        assertThat(mismatch(DATA, FIRST)).isEqualTo(-1);
      }
      int begin = (subject.isCopy() ? TARGET : FIRST) * BLOCK;
      int done = fault == Fault.SHORT_AND_THEN_EIO ? BLOCK : isDone ? BLOCKS * BLOCK : 0;
      for (int i = 0; i < done; i++) {
        switch (subject) {
          case WRITE_, DURABLE_WRITE, DURABLE_WRITE_AT_ITS_FLUSH ->
              expected[begin + i] = (byte) fill;
          case ZEROES, ZEROES_BY_WRITING, DURABLE_ZEROES_AT_THEIR_FLUSH, DEALLOCATE ->
              expected[begin + i] = 0;
          case COPY_AT_ITS_WRITE, DURABLE_COPY_AT_ITS_FLUSH ->
              expected[begin + i] = expected[FIRST * BLOCK + i];
          case COPY_AT_ITS_READ -> {
            if (isDone) {
              expected[begin + i] = expected[FIRST * BLOCK + i];
            }
          }
          default -> {
            // It changes nothing.
          }
        }
      }
      assertThat(mismatch()).isEqualTo(-1);
    }

    /** Where the file has something else than what was written. */
    private long mismatch() throws IOException {
      try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
        var bytes = ByteBuffer.allocate(SIZE);
        while (bytes.hasRemaining() && channel.read(bytes) > 0) {
          // All of it.
        }
        return MemorySegment.ofArray(bytes.array()).mismatch(MemorySegment.ofArray(expected));
      }
    }

    private void checkErrorLog(int victim, Command command) {
      assertThat(host.admin.run(Command.admin(0x02, 0x01 | (63 << 16), 0).at(LOG)).status())
          .isZero();
      errors += fault.isOvercome() ? 0 : 1;
      assertThat(host.memory.get(LE64, LOG)).as("error count").isEqualTo(errors);
      if (errors == 0) {
        return;
      }
      assertThat(host.memory.get(LE16, LOG + 8)).as("queue").isEqualTo((short) 1);
      assertThat(Short.toUnsignedInt(host.memory.get(LE16, LOG + 10))).isEqualTo(victim);
      assertThat(Short.toUnsignedInt(host.memory.get(LE16, LOG + 12)) >> 1)
          .isEqualTo(fault.status(subject));
      assertThat(host.memory.get(LE64, LOG + 16))
          .as("LBA")
          .isEqualTo(subject == Subject.DEALLOCATE ? 0 : command.cdw10());
      assertThat(host.memory.get(LE32, LOG + 24)).as("NSID").isEqualTo(1);
    }

    /** A line that names the file and the error; none where it was the client's memory. */
    private void checkLog() {
      var lines = log.take();
      if (fault.isOvercome() || fault == Fault.EFAULT) {
        assertThat(lines).isEmpty();
      } else {
        assertThat(lines).hasSize(1);
        assertThat(lines.getFirst()).startsWith(file + ": ");
        if (fault != Fault.NOTHING_DONE) {
          assertThat(lines.getFirst())
              .contains(Objects.requireNonNull(fault.errno).symbol())
              .contains(" bytes at ");
        }
      }
    }

    private void checkRegisters() {
      long[] nanos = new long[1000];
      for (int i = 0; i < nanos.length; i++) {
        long begin = System.nanoTime();
        int status = host.status();
        nanos[i] = System.nanoTime() - begin;
        assertThat(status).isEqualTo(1);
      }
      Arrays.sort(nanos);
      assertThat(nanos[990]).as("p99 of a register read, in ns").isLessThan(10_000_000);
    }

    /** Whatever was: the controller goes on, but for flushes once one has failed. */
    private void checkLife() {
      assertThat(host.status()).isEqualTo(1);
      boolean isLost = subject.kind == Kind.SYNC && !fault.isOvercome();
      int last = BLOCKS - 1;
      int status = isLost ? WRITE_FAULT : 0;
      var durable = new Command(WRITE, 1, OTHER_DATA, 0, OTHERS, 0, last | FORCE_UNIT_ACCESS);
      assertThat(queue.run(new Command(READ, 1, OTHER_DATA, 0, OTHERS, 0, last)).status()).isZero();
      assertThat(queue.run(new Command(WRITE, 1, OTHER_DATA, 0, OTHERS, 0, last)).status())
          .isZero();
      assertThat(queue.run(new Command(FLUSH, 1, 0, 0, 0, 0, 0)).status()).isEqualTo(status);
      assertThat(queue.run(durable).status()).isEqualTo(status);
    }

    @Override
    public void close() {
      kernel.rule(null);
      kernel.releaseAll();
      host.close();
      log.close();
    }
  }
}
