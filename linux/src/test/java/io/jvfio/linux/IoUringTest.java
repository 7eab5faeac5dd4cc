// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.jvfio.linux.uapi.IoUringParams;
import io.jvfio.linux.uapi.Uring;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real rings, on files that need no privilege. */
class IoUringTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final String TEXT = "0123456789";

  @TempDir Path directory;

  private final Arena arena = Arena.ofShared();
  private Path path;
  private int file;

  @BeforeEach
  void open() throws Exception {
    path = Files.writeString(directory.resolve("file"), TEXT);
    file = KERNEL.open(path.toString(), Kernel.O_RDWR);
    assertThat(file).isNotNegative();
  }

  @AfterEach
  void close() {
    KERNEL.close(file);
    arena.close();
  }

  private MemorySegment text(String text) {
    return arena
        .allocate(text.length())
        .copyFrom(MemorySegment.ofArray(text.getBytes(StandardCharsets.US_ASCII)));
  }

  private static String text(MemorySegment memory) {
    return new String(memory.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
  }

  /** Hands over what was prepared, and returns the result of the only operation. */
  private static int resultOf(IoUring ring, long userData) {
    assertThat(ring.submit()).isOne();
    assertThat(ring.await(1)).isZero();
    assertThat(ring.next()).isTrue();
    assertThat(ring.userData()).isEqualTo(userData);
    assertThat(ring.inFlight()).isZero();
    return ring.result();
  }

  @Test
  void readsAndWrites() throws Exception {
    try (var ring = IoUring.open(KERNEL, 8)) {
      var content = arena.allocate(4);
      ring.read(file, content.address(), 4, 3, 1L << 60);
      assertThat(resultOf(ring, 1L << 60)).isEqualTo(4);
      assertThat(text(content)).isEqualTo("3456");

      ring.write(file, text("abc").address(), 3, 8, -1);
      assertThat(resultOf(ring, -1)).isEqualTo(3);
      assertThat(path).hasContent("01234567abc");

      assertThat(ring.next()).as("no more").isFalse();
      assertThat(ring.submit()).as("nothing prepared").isZero();
      assertThat(ring.await(1)).as("nothing to wait for").isZero();
    }
  }

  @Test
  void readsAndWritesMemoryFiles() throws Exception {
    int memory = KERNEL.memoryFile("rings", 0, 1L << 33);
    try (var ring = IoUring.open(KERNEL, 1)) {
      ring.write(memory, text("far").address(), 3, (1L << 33) - 3, 5);
      assertThat(resultOf(ring, 5)).isEqualTo(3);
      var content = arena.allocate(5);
      ring.read(memory, content.address(), 5, (1L << 33) - 5, 6);
      assertThat(resultOf(ring, 6)).isEqualTo(5);
      assertThat(text(content)).isEqualTo("\0\0far");
    } finally {
      KERNEL.close(memory);
    }
  }

  @Test
  void readsAndWritesSeveralPieces() throws Exception {
    var first = text("ab");
    var second = text("cde");
    var vectors =
        arena.allocateFrom(ValueLayout.JAVA_LONG, first.address(), 2, second.address(), 3);
    try (var ring = IoUring.open(KERNEL, 8)) {
      ring.writeVectors(file, vectors.address(), 2, 1, 7);
      assertThat(resultOf(ring, 7)).isEqualTo(5);
      assertThat(path).hasContent("0abcde6789");
      ring.readVectors(file, vectors.address(), 2, 5, 8);
      assertThat(resultOf(ring, 8)).isEqualTo(5);
      assertThat(text(first) + text(second)).isEqualTo("e6789");
    }
  }

  @Test
  void aReadAtTheEndOfAFileIsShort() throws Exception {
    try (var ring = IoUring.open(KERNEL, 8)) {
      var content = text("--------");
      ring.read(file, content.address(), 8, 7, 1);
      assertThat(resultOf(ring, 1)).isEqualTo(3);
      assertThat(text(content)).isEqualTo("789-----");
      ring.read(file, content.address(), 8, 10, 2);
      assertThat(resultOf(ring, 2)).isZero();
    }
  }

  @Test
  void memoryThatIsNotThereIsThatOperationsError() throws Exception {
    try (var ring = IoUring.open(KERNEL, 8)) {
      var content = arena.allocate(4);
      ring.read(file, 4096, 4, 0, 1);
      ring.read(file, content.address(), 4, 0, 2);
      ring.write(file, 4096, 4, 0, 3);
      ring.readVectors(file, 4096, 1, 0, 4);
      assertThat(ring.submit()).isEqualTo(4);
      assertThat(ring.await(4)).isZero();
      int[] results = new int[5];
      for (int i = 0; i < 4; i++) {
        assertThat(ring.next()).isTrue();
        results[(int) ring.userData()] = ring.result();
      }
      int fault = Errno.EFAULT.result();
      assertThat(results).containsExactly(0, fault, 4, fault, fault);
      assertThat(text(content)).isEqualTo("0123");
      assertThat(path).hasContent(TEXT);
    }
  }

  @Test
  void synchronizesAllOrAPart() throws Exception {
    try (var ring = IoUring.open(KERNEL, 8)) {
      ring.synchronizeData(file, 0, 0, 1);
      assertThat(resultOf(ring, 1)).isZero();
      ring.synchronizeData(file, 4, 2, 2);
      assertThat(resultOf(ring, 2)).isZero();
      ring.synchronizeData(-1, 0, 0, 3);
      assertThat(resultOf(ring, 3)).isEqualTo(Errno.EBADF.result());
    }
  }

  /** The flag that makes it {@code fdatasync} must not stay behind for the next operation. */
  @Test
  void nothingOfAnOperationIsLeftForTheNext() throws Exception {
    try (var ring = IoUring.open(KERNEL, 1)) {
      var content = arena.allocate(4);
      assertThat(ring.registerBuffer(content.address(), 4)).isZero();
      ring.synchronizeData(file, 0, 0, 1);
      assertThat(resultOf(ring, 1)).isZero();
      ring.readFixed(file, content.address(), 4, 0, 9, 2);
      assertThat(resultOf(ring, 2)).as("no such buffer").isEqualTo(Errno.EFAULT.result());
      ring.allocate(file, 0, 0, 16, 3);
      assertThat(resultOf(ring, 3)).as("EINVAL with an index or a flag").isZero();
    }
  }

  @Test
  void takesSpaceAndPunchesHoles() throws Exception {
    try (var ring = IoUring.open(KERNEL, 8)) {
      ring.allocate(file, 0, 0, 1 << 20, 1);
      assertThat(resultOf(ring, 1)).isZero();
      assertThat(KERNEL.status(file).allocatedBytes()).isGreaterThanOrEqualTo(1 << 20);
      int punch = Kernel.FALLOC_FL_PUNCH_HOLE | Kernel.FALLOC_FL_KEEP_SIZE;
      ring.allocate(file, punch, 4, 1 << 20, 2);
      assertThat(resultOf(ring, 2)).isZero();
      assertThat(KERNEL.status(file).allocatedBytes()).isLessThan(1 << 16);
      assertThat(Files.readString(path)).hasSize(1 << 20).startsWith("0123\0\0\0\0\0\0\0");
      ring.allocate(file, Kernel.FALLOC_FL_PUNCH_HOLE, 0, 4096, 3);
      assertThat(resultOf(ring, 3)).isEqualTo(Errno.EOPNOTSUPP.result());
    }
  }

  @Test
  void cancelsWhatWaits() throws Exception {
    int event = KERNEL.eventFd(0, 0);
    try (var ring = IoUring.open(KERNEL, 8)) {
      ring.read(event, arena.allocate(8).address(), 8, 0, 1);
      ring.read(event, arena.allocate(8).address(), 8, 0, 2);
      assertThat(ring.submit()).isEqualTo(2);
      assertThat(ring.next()).as("nothing to read").isFalse();
      assertThat(ring.inFlight()).isEqualTo(2);

      ring.cancel(2, 3);
      assertThat(ring.submit()).isOne();
      assertThat(ring.await(2)).isZero();
      int[] results = {-1, -1, -1, -1};
      for (int i = 0; i < 2; i++) {
        assertThat(ring.next()).isTrue();
        results[(int) ring.userData()] = ring.result();
      }
      assertThat(results).containsExactly(-1, -1, Errno.ECANCELED.result(), 0);
      assertThat(ring.inFlight()).isOne();

      ring.cancel(2, 4);
      assertThat(ring.submit()).isOne();
      assertThat(ring.await(1)).isZero();
      assertThat(ring.next()).isTrue();
      assertThat(ring.result()).as("gone already").isEqualTo(Errno.ENOENT.result());
    } finally {
      KERNEL.close(event);
    }
  }

  @Test
  void aBatchLargerThanTheRingGoesInParts() throws Exception {
    try (var ring = IoUring.open(KERNEL, 3)) {
      assertThat(ring.room()).as("a power of two").isEqualTo(4);
      var content = arena.allocate(100);
      for (int i = 0; i < 100; i++) {
        if (ring.room() == 0) {
          assertThatIllegalStateException()
              .isThrownBy(() -> ring.read(file, content.address(), 1, 0, 1000))
              .withMessage("all 4 submissions are prepared: submit() makes room");
          assertThat(ring.submit()).isEqualTo(4);
          assertThat(ring.room()).isEqualTo(4);
        }
        ring.read(file, content.address() + i, 1, i % 10, i);
      }
      assertThat(ring.submit()).isEqualTo(4);
      takeAll(ring, 100, 1);
      assertThat(text(content)).isEqualTo(TEXT.repeat(10));
    }
  }

  /** Takes {@code count} completions with user data from 0, each once. */
  private static void takeAll(IoUring ring, int count, int result) {
    var taken = new BitSet();
    while (taken.cardinality() < count) {
      assertThat(ring.await(1)).isZero();
      while (ring.next()) {
        assertThat(ring.result()).isEqualTo(result);
        assertThat(taken.get((int) ring.userData())).isFalse();
        taken.set((int) ring.userData());
      }
    }
    assertThat(taken.length()).isEqualTo(count);
    assertThat(ring.inFlight()).isZero();
  }

  @Test
  void moreCompletionsThanTheRingHoldsAreKept() throws Exception {
    try (var ring = IoUring.open(KERNEL, 4, 4)) {
      var content = arena.allocate(50);
      for (int i = 0; i < 50; i++) {
        ring.read(file, content.address() + i, 1, i % 10, i);
        assertThat(ring.submit()).isOne();
      }
      assertThat(ring.inFlight()).isEqualTo(50);
      assertThat(ring.await(50)).as("as many as there is room for").isZero();
      int taken = 0;
      while (ring.next()) { // without waiting: they have all ended
        assertThat(ring.userData()).as("in order").isEqualTo(taken);
        taken++;
      }
      assertThat(taken).isEqualTo(50);
      assertThat(text(content)).isEqualTo(TEXT.repeat(5));
    }
  }

  @Test
  void aRegisteredFileStaysOpen() throws Exception {
    int other = KERNEL.memoryFile("other", 0, 4);
    try (var ring = IoUring.open(KERNEL, 8)) {
      assertThat(ring.registerFile(-1)).as("which means a gap").isNotPositive();
    }
    try (var ring = IoUring.open(KERNEL, 1)) { // so that they share one entry
      assertThat(ring.registerFile(file)).isZero();
      assertThat(ring.registerFile(other)).isEqualTo(Errno.EBUSY.result());
      KERNEL.close(file);

      var content = arena.allocate(4);
      ring.read(file, content.address(), 4, 6, 1);
      assertThat(resultOf(ring, 1)).isEqualTo(4);
      assertThat(text(content)).isEqualTo("6789");
      ring.synchronizeData(file, 0, 0, 2);
      assertThat(resultOf(ring, 2)).isZero();
      ring.read(other, content.address(), 4, 0, 3);
      assertThat(resultOf(ring, 3)).as("another one is found as ever").isEqualTo(4);
      assertThat(text(content)).isEqualTo("\0\0\0\0");
    } finally {
      KERNEL.close(other);
      file = KERNEL.open(path.toString(), Kernel.O_RDWR);
    }
  }

  @Test
  void nothingHoldsTheFileAfterClosing() throws Exception {
    for (int i = 0; i < 200; i++) {
      int locked = KERNEL.open(path.toString(), Kernel.O_RDWR);
      assertThat(KERNEL.lockFile(locked, true)).as("round %d", i).isZero();
      try (var ring = IoUring.open(KERNEL, 8)) {
        assertThat(ring.registerFile(locked)).isZero();
        ring.read(locked, arena.allocate(4).address(), 4, 0, 1);
        assertThat(resultOf(ring, 1)).isEqualTo(4);
      }
      KERNEL.close(locked);
    }
  }

  @Test
  void readsAndWritesRegisteredMemory() throws Exception {
    var memory = arena.allocate(8192, 4096);
    try (var ring = IoUring.open(KERNEL, 8)) {
      assertThat(ring.registerBuffer(memory.address(), 4096)).isZero();
      assertThat(ring.registerBuffer(memory.address(), 4096)).isEqualTo(Errno.EBUSY.result());
      ring.readFixed(file, memory.address() + 100, 10, 0, 0, 1);
      assertThat(resultOf(ring, 1)).isEqualTo(10);
      assertThat(text(memory.asSlice(100, 10))).isEqualTo(TEXT);
      ring.writeFixed(file, memory.address() + 105, 5, 0, 0, 2);
      assertThat(resultOf(ring, 2)).isEqualTo(5);
      assertThat(path).hasContent("5678956789");
      ring.readFixed(file, memory.address() + 4090, 10, 0, 0, 3);
      assertThat(resultOf(ring, 3)).as("beyond it").isEqualTo(Errno.EFAULT.result());
    }
    try (var ring = IoUring.open(KERNEL, 8)) {
      assertThat(ring.registerBuffer(4096, 4096)).isEqualTo(Errno.EFAULT.result());
    }
  }

  @Test
  void registeredMemoryIsUnlockedByClosing() throws Exception {
    var memory = arena.allocate(1 << 20, 4096);
    long before = pinnedKilobytes();
    for (int i = 0; i < 50; i++) {
      try (var ring = IoUring.open(KERNEL, 8)) {
        assertThat(ring.registerBuffer(memory.address(), 1 << 20)).isZero();
        assertThat(pinnedKilobytes()).isEqualTo(before + 1024);
      }
      assertThat(pinnedKilobytes()).as("round %d", i).isEqualTo(before);
    }
  }

  private static long pinnedKilobytes() throws ErrnoException {
    return KERNEL
        .readText("/proc/self/status")
        .lines()
        .filter(line -> line.startsWith("VmPin:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .sum();
  }

  @Test
  void completionsSignalAnEventfdUnlessTheyMustNot() throws Exception {
    int event = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    var count = arena.allocate(8);
    try (var ring = IoUring.open(KERNEL, 8)) {
      assertThat(ring.registerEventFd(-1)).isEqualTo(Errno.EBADF.result());
      assertThat(ring.registerEventFd(event)).isZero();
      assertThat(ring.registerEventFd(event)).isEqualTo(Errno.EBUSY.result());
      ring.read(file, arena.allocate(4).address(), 4, 0, 1);
      resultOf(ring, 1);
      assertThat(KERNEL.read(event, count)).isEqualTo(8);

      ring.tellOfCompletions(false);
      ring.read(file, arena.allocate(4).address(), 4, 0, 2);
      resultOf(ring, 2);
      assertThat(KERNEL.read(event, count)).isEqualTo(Errno.EAGAIN.result());

      ring.tellOfCompletions(true);
      assertThat(KERNEL.read(event, count)).as("of the past").isEqualTo(Errno.EAGAIN.result());
      ring.read(file, arena.allocate(4).address(), 4, 0, 3);
      assertThat(ring.submit()).isOne();
      assertThat(KERNEL.awaitReadable(event, 60_000)).isOne();
      assertThat(ring.next()).isTrue();
    } finally {
      KERNEL.close(event);
    }
  }

  @Test
  void anyThreadMayTakeItsTurn() throws Exception {
    var content = arena.allocate(8);
    int event = KERNEL.eventFd(0, 0);
    var done = new CountDownLatch(1);
    var threads = Executors.newFixedThreadPool(1);
    try (var ring = IoUring.open(KERNEL, 8)) {
      var submitted = new CountDownLatch(1);
      var submitter =
          threads.submit(
              () -> {
                ring.read(event, content.address(), 8, 0, 1);
                int taken = ring.submit();
                submitted.countDown();
                done.await(); // its operations would end with it
                return taken;
              });
      submitted.await();
      KERNEL.write(event, arena.allocateFrom(ValueLayout.JAVA_LONG, 77));
      assertThat(ring.await(1)).isZero();
      assertThat(ring.next()).isTrue();
      assertThat(ring.result()).isEqualTo(8);
      assertThat(content.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(77);
      done.countDown();
      assertThat(submitter.get()).isOne();
    } finally {
      done.countDown();
      threads.shutdown();
      assertThat(threads.awaitTermination(60, TimeUnit.SECONDS)).isTrue();
      KERNEL.close(event);
    }
  }

  @Test
  void knowsWhatTheKernelSupports() throws Exception {
    try (var ring = IoUring.open(KERNEL, 1)) {
      assertThat(ring.supports(Uring.IORING_OP_READ)).isTrue();
      assertThat(ring.supports(Uring.IORING_OP_FALLOCATE)).isTrue();
      assertThat(ring.supports(255)).isFalse();
    }
  }

  @Test
  void closingCancelsWhatIsInFlightAndLeavesNothing() throws Exception {
    int event = KERNEL.eventFd(0, 0);
    Callable<Void> useAndClose =
        () -> {
          var ring = IoUring.open(KERNEL, 2);
          ring.registerFile(file);
          ring.registerBuffer(arena.allocate(64).address(), 64);
          ring.read(event, arena.allocate(8).address(), 8, 0, 1);
          ring.read(event, arena.allocate(8).address(), 8, 0, 2);
          assertThat(ring.submit()).isEqualTo(2);
          ring.write(file, text("not handed over").address(), 15, 0, 3);
          ring.write(file, text("not handed over").address(), 15, 0, 4);
          assertThat(ring.room()).isZero();
          ring.close();
          assertThat(ring.inFlight()).isZero();
          return null;
        };
    useAndClose.call();
    int before = KERNEL.list("/proc/self/fd").size();
    for (int i = 0; i < 20; i++) {
      useAndClose.call();
    }
    assertThat(KERNEL.list("/proc/self/fd")).hasSize(before);
    assertThat(mappedRings()).isZero();
    assertThat(path).hasContent(TEXT);
    // Nobody reads it any more.
    KERNEL.write(event, arena.allocateFrom(ValueLayout.JAVA_LONG, 1));
    assertThat(KERNEL.readNow(event, arena.allocate(8))).isEqualTo(8);
    KERNEL.close(event);
  }

  private static long mappedRings() throws ErrnoException {
    return KERNEL
        .readText("/proc/self/maps")
        .lines()
        .filter(line -> line.contains("[io_uring]"))
        .count();
  }

  @Test
  void closedRingsAreNotUsed() throws Exception {
    var ring = IoUring.open(KERNEL, 4);
    ring.close();
    ring.close();
    assertThat(ring.await(0)).isEqualTo(Errno.EBADF.result());
    assertThat(ring.registerFile(file)).isIn(Errno.EBADF.result(), Errno.EINVAL.result());
    assertThatIllegalStateException().isThrownBy(ring::next);
    assertThatIllegalStateException().isThrownBy(() -> ring.read(file, 0, 0, 0, 0));
  }

  /** Does as it is told, instead of what Linux would do. */
  private static class Refusing extends ForwardingKernel {
    int setUp;
    int mapped;

    Refusing() {
      super(KERNEL);
    }

    @Override
    public int ioUringSetup(int entries, MemorySegment params) {
      setUp++;
      return super.ioUringSetup(entries, params);
    }

    @Override
    public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
      mapped++;
      return super.mmap(byteSize, protection, flags, fd, offset);
    }
  }

  private static void assertRefused(Kernel kernel, Errno errno, String operation) throws Exception {
    int before = KERNEL.list("/proc/self/fd").size();
    assertThatThrownBy(() -> IoUring.open(kernel, 8))
        .isInstanceOfSatisfying(ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(errno))
        .hasMessageStartingWith(operation + " failed: ");
    assertThat(KERNEL.list("/proc/self/fd")).hasSize(before);
    assertThat(mappedRings()).isZero();
  }

  @Test
  void ringsThatAreForbiddenOrNotThereLeaveNothingOpen() throws Exception {
    for (var errno : new Errno[] {Errno.ENOSYS, Errno.EPERM, Errno.EACCES, Errno.ENOMEM}) {
      var kernel =
          new Refusing() {
            @Override
            public int ioUringSetup(int entries, MemorySegment params) {
              return errno.result();
            }
          };
      assertRefused(kernel, errno, "io_uring_setup(8)");
    }
  }

  @Test
  void ringsThatCannotBeMappedLeaveNothingOpen() throws Exception {
    for (int failing = 1; failing <= 2; failing++) {
      int number = failing;
      var kernel =
          new Refusing() {
            @Override
            public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
              long address = super.mmap(byteSize, protection, flags, fd, offset);
              if (mapped < number) {
                return address;
              }
              munmap(address, byteSize);
              return Errno.ENOMEM.result();
            }
          };
      assertRefused(kernel, Errno.ENOMEM, "mmap(io_uring)");
      assertThat(kernel.mapped).isEqualTo(number);
    }
  }

  @Test
  void ringsThatCannotBeAskedWhatTheyDoLeaveNothingOpen() throws Exception {
    var forbidden =
        new Refusing() {
          @Override
          public int ioUringRegister(int fd, int operation, MemorySegment argument, int count) {
            return Errno.EACCES.result();
          }
        };
    assertRefused(forbidden, Errno.EACCES, "io_uring_register(IORING_REGISTER_PROBE)");
    var old =
        new Refusing() {
          @Override
          public int ioUringRegister(int fd, int operation, MemorySegment argument, int count) {
            return Errno.EINVAL.result();
          }
        };
    assertRefused(old, Errno.ENOSYS, "io_uring of Linux 5.6 or later");
    var withoutFeatures =
        new Refusing() {
          @Override
          public int ioUringSetup(int entries, MemorySegment params) {
            int fd = super.ioUringSetup(entries, params);
            params.set(ValueLayout.JAVA_INT, 20, 0);
            assertThat(IoUringParams.FEATURES.get(params)).isZero();
            return fd;
          }
        };
    assertRefused(withoutFeatures, Errno.ENOSYS, "io_uring of Linux 5.6 or later");
  }

  @Test
  void aSizeThatCannotBeIsRefused() throws Exception {
    for (int entries : new int[] {0, -1, 1 << 30, Integer.MAX_VALUE}) {
      assertThatThrownBy(() -> IoUring.open(KERNEL, entries))
          .hasMessage("io_uring_setup(%d) failed: EINVAL (Invalid argument)", entries);
    }
    assertThatThrownBy(() -> IoUring.open(KERNEL, 8, 4)).hasMessageContaining("EINVAL");
  }

  @Test
  void olderKernelsAreAskedForLess() throws Exception {
    var kernel =
        new Refusing() {
          @Override
          public int ioUringSetup(int entries, MemorySegment params) {
            int flags = params.get(ValueLayout.JAVA_INT, 8);
            return (flags & Uring.IORING_SETUP_SUBMIT_ALL) != 0
                ? Errno.EINVAL.result()
                : super.ioUringSetup(entries, params);
          }
        };
    try (var ring = IoUring.open(kernel, 4)) {
      assertThat(kernel.setUp).isOne();
      // There a submission that is wrong ends a call; what is behind it goes with the next.
      ring.readFixed(file, 0, 1, 0, 3, 0);
      ring.readFixed(file, 0, 1, 0, 3, 1);
      ring.readFixed(file, 0, 1, 0, 3, 2);
      assertThat(ring.submit()).isEqualTo(3);
      takeAll(ring, 3, Errno.EFAULT.result());
    }
  }

  /** Takes nothing, and remembers what stood in the ring, as 64 bytes an operation. */
  private static final class Watching extends Refusing {
    private long address;
    private int submitted;
    byte[] seen = {};

    @Override
    public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
      address = super.mmap(byteSize, protection, flags, fd, offset); // of the second mapping
      return address;
    }

    @Override
    public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
      submitted += toSubmit;
      var entries = NativeMemory.at(address, 64L * toSubmit, Arena.global());
      seen = entries.toArray(ValueLayout.JAVA_BYTE);
      return Errno.EAGAIN.result();
    }
  }

  private record Submission(
      int opcode,
      int flags,
      int fd,
      long offset,
      long address,
      int length,
      int operationFlags,
      long userData,
      int bufferIndex,
      boolean restIsZero) {
    static Submission of(byte[] seen, int index) {
      var entry = MemorySegment.ofArray(seen).asSlice(64L * index, 64);
      var rest = entry.asSlice(42);
      return new Submission(
          entry.get(ValueLayout.JAVA_BYTE, 0),
          entry.get(ValueLayout.JAVA_BYTE, 1),
          entry.get(ValueLayout.JAVA_INT_UNALIGNED, 4),
          entry.get(ValueLayout.JAVA_LONG_UNALIGNED, 8),
          entry.get(ValueLayout.JAVA_LONG_UNALIGNED, 16),
          entry.get(ValueLayout.JAVA_INT_UNALIGNED, 24),
          entry.get(ValueLayout.JAVA_INT_UNALIGNED, 28),
          entry.get(ValueLayout.JAVA_LONG_UNALIGNED, 32),
          entry.get(ValueLayout.JAVA_SHORT_UNALIGNED, 40),
          rest.mismatch(MemorySegment.ofArray(new byte[22])) < 0);
    }
  }

  @Test
  void everyOperationStandsInTheRingAsLinuxReadsIt() throws Exception {
    var kernel = new Watching();
    try (var ring = IoUring.open(kernel, 16)) {
      ring.read(5, 0x1234_5678_9abcL, 4096, 1L << 40, 100);
      ring.readVectors(5, 0x1000, 3, 512, 101);
      ring.readFixed(5, 0x2000, 512, 1024, 6, 102);
      ring.write(5, 0x3000, 8192, 1536, 103);
      ring.writeVectors(5, 0x4000, 4, 2048, 104);
      ring.writeFixed(5, 0x5000, 1024, 2560, 7, 105);
      ring.synchronizeData(5, 3072, 3584, 106);
      ring.allocate(5, 3, 4096, 1L << 41, 107);
      ring.cancel(99, 108);
      assertThat(ring.registerFile(file)).isZero();
      ring.read(file, 0x6000, 1, 2, 109);
      ring.read(5, 0x6000, 1, 2, 110);
      assertThat(ring.submit()).isEqualTo(Errno.EAGAIN.result());
      assertThat(kernel.submitted).isEqualTo(11);
      assertThat(ring.inFlight()).isZero();
    }
    var expected =
        List.of(
            new Submission(22, 0, 5, 1L << 40, 0x1234_5678_9abcL, 4096, 0, 100, 0, true),
            new Submission(1, 0, 5, 512, 0x1000, 3, 0, 101, 0, true),
            new Submission(4, 0, 5, 1024, 0x2000, 512, 0, 102, 6, true),
            new Submission(23, 0, 5, 1536, 0x3000, 8192, 0, 103, 0, true),
            new Submission(2, 0, 5, 2048, 0x4000, 4, 0, 104, 0, true),
            new Submission(5, 0, 5, 2560, 0x5000, 1024, 0, 105, 7, true),
            new Submission(3, 0, 5, 3072, 0, 3584, 1, 106, 0, true),
            new Submission(17, 0, 5, 4096, 1L << 41, 3, 0, 107, 0, true),
            new Submission(14, 0, -1, 0, 99, 0, 0, 108, 0, true),
            new Submission(22, 1, 0, 2, 0x6000, 1, 0, 109, 0, true),
            new Submission(22, 0, 5, 2, 0x6000, 1, 0, 110, 0, true));
    for (int i = 0; i < expected.size(); i++) {
      assertThat(Submission.of(kernel.seen, i)).isEqualTo(expected.get(i));
    }
  }

  /** Takes one operation a call, and none every other time. */
  private static final class Slow extends Refusing {
    int calls;

    @Override
    public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
      if (toSubmit > 0 && ++calls % 2 == 0) {
        return Errno.EAGAIN.result();
      }
      return super.ioUringEnter(fd, Math.min(toSubmit, 1), minComplete, flags);
    }
  }

  @Test
  void whatWasNotTakenStaysPrepared() throws Exception {
    var kernel = new Slow();
    try (var ring = IoUring.open(kernel, 4)) {
      var content = arena.allocate(4);
      for (int i = 0; i < 4; i++) {
        ring.read(file, content.address() + i, 1, i, i);
      }
      for (int i = 0; i < 4; i++) {
        assertThat(ring.submit()).isOne();
        assertThat(ring.room()).isEqualTo(i + 1);
        kernel.calls = i % 2; // every other round begins with a call that takes none
        if (i % 2 == 1 && i < 3) {
          assertThat(ring.submit()).isEqualTo(Errno.EAGAIN.result());
          assertThat(ring.room()).isEqualTo(i + 1);
        }
      }
      takeAll(ring, 4, 1);
      assertThat(text(content)).isEqualTo("0123");
    }
  }

  @Test
  void closingSaysSoWhenOperationsDoNotEnd() throws Exception {
    int event = KERNEL.eventFd(0, 0);
    int before = KERNEL.list("/proc/self/fd").size();
    var isBroken = new boolean[1];
    var kernel =
        new Refusing() {
          @Override
          public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
            return isBroken[0]
                ? Errno.EBADR.result()
                : super.ioUringEnter(fd, toSubmit, minComplete, flags);
          }
        };
    var ring = IoUring.open(kernel, 4);
    ring.read(event, arena.allocate(8).address(), 8, 0, 1);
    assertThat(ring.submit()).isOne();
    isBroken[0] = true;
    assertThatIllegalStateException()
        .isThrownBy(ring::close)
        .withMessage("1 operations do not end, and their memory must not be used any more")
        .withStackTraceContaining("io_uring_enter failed: EBADR");
    assertThat(KERNEL.list("/proc/self/fd")).hasSize(before);
    assertThat(mappedRings()).isZero();
    KERNEL.close(event);
  }

  @Test
  void completionsThatTheKernelDoesNotHandOutAreTold() throws Exception {
    var isBroken = new boolean[1];
    var kernel =
        new Refusing() {
          @Override
          public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
            return isBroken[0] && toSubmit == 0
                ? Errno.EBADR.result()
                : super.ioUringEnter(fd, toSubmit, minComplete, flags);
          }
        };
    try (var ring = IoUring.open(kernel, 1, 1)) {
      for (int i = 0; i < 2; i++) {
        ring.read(file, arena.allocate(4).address(), 4, 0, i);
        assertThat(ring.submit()).isOne();
      }
      isBroken[0] = true;
      assertThat(ring.next()).isTrue();
      assertThatIllegalStateException()
          .isThrownBy(ring::next)
          .withStackTraceContaining("io_uring_enter(IORING_ENTER_GETEVENTS) failed: EBADR");
      isBroken[0] = false;
      assertThat(ring.next()).as("nothing is lost").isTrue();
    }
  }

  private static final int WARM_UP = 20_000;
  private static final int MEASURED = 1_000;

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  @Test
  void operationsAllocateNothing() throws Exception {
    int memory = KERNEL.memoryFile("allocation", 0, 1 << 20);
    int event = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    try (var ring = IoUring.open(KERNEL, 16)) {
      assertThat(ring.registerFile(memory)).isZero();
      assertThat(ring.registerEventFd(event)).isZero();
      var buffer = arena.allocate(8192, 4096);
      var vectors = arena.allocateFrom(ValueLayout.JAVA_LONG, buffer.address(), 512);
      assertThat(ring.registerBuffer(buffer.address(), 8192)).isZero();
      assertAllocatesNothing(times -> exchange(ring, memory, buffer, vectors, times));
    } finally {
      KERNEL.close(event);
      KERNEL.close(memory);
    }
  }

  private static void exchange(
      IoUring ring, int memory, MemorySegment buffer, MemorySegment vectors, int times) {
    long address = buffer.address();
    for (int i = 0; i < times; i++) {
      ring.tellOfCompletions(false);
      ring.read(memory, address, 4096, 4096L * (i & 15), i);
      ring.write(memory, address, 512, 4096L * (i & 15), i);
      ring.readVectors(memory, vectors.address(), 1, 0, i);
      ring.writeVectors(memory, vectors.address(), 1, 0, i);
      ring.readFixed(memory, address + 512, 4096, 0, 0, i);
      ring.writeFixed(memory, address + 512, 512, 8192, 0, i);
      ring.cancel(-1, i);
      ring.read(memory, 4096, 1, 0, i);
      if (ring.submit() != 8) {
        throw new AssertionError();
      }
      while (ring.inFlight() > 0) {
        if (ring.await(1) < 0 || !ring.next() || ring.userData() != i) {
          throw new AssertionError();
        }
        while (ring.next()) {
          if (ring.result() == Errno.EINVAL.result()) {
            throw new AssertionError();
          }
        }
      }
      ring.tellOfCompletions(true);
    }
  }

  @Test
  void transfersOfTheSeamAllocateNothing() {
    int memory = KERNEL.memoryFile("allocation", 0, 1 << 20);
    try {
      var buffer = arena.allocate(4096, 4096);
      var vectors = arena.allocateFrom(ValueLayout.JAVA_LONG, buffer.address(), 4096);
      assertAllocatesNothing(
          times -> {
            for (int i = 0; i < times; i++) {
              if (KERNEL.pwritev(memory, vectors, 1, 4096L * (i & 15)) != 4096
                  || KERNEL.preadv(memory, vectors, 1, 4096L * (i & 15)) != 4096
                  || KERNEL.pwrite(memory, buffer, 0) != 4096
                  || KERNEL.pread(memory, buffer, 0) != 4096) {
                throw new AssertionError();
              }
            }
          });
    } finally {
      KERNEL.close(memory);
    }
  }

  private interface Batch {
    void run(int times);
  }

  private static void assertAllocatesNothing(Batch batch) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    batch.run(WARM_UP);
    // The compiler may still change its mind: so the best of several batches counts. One object an
    // operation would show in every one of them.
    long least = Long.MAX_VALUE;
    for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
      long before = threads.getCurrentThreadAllocatedBytes();
      batch.run(MEASURED);
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    assertThat(least).isZero();
  }
}
