// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.jvfio.linux.uapi.Vfio;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.function.IntUnaryOperator;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real system calls, on files that need no privilege. */
class LinuxKernelTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  @TempDir Path directory;

  private Path file(String content) throws IOException {
    return Files.writeString(directory.resolve("file"), content);
  }

  private static Errno errno(long result) {
    assertThat(result).isNegative();
    return Errno.ofResult(result);
  }

  @Test
  void accessIsToldWithoutOpening(@TempDir Path folder) throws IOException {
    var file = Files.writeString(folder.resolve("file"), "");
    assertThat(LinuxKernel.instance().access(file.toString(), Kernel.R_OK | Kernel.W_OK)).isZero();
    assertThat(LinuxKernel.instance().access(folder.resolve("none").toString(), Kernel.R_OK))
        .isEqualTo(Errno.ENOENT.result());
    assertThat(LinuxKernel.instance().access("/proc/self/cmdline/x", Kernel.R_OK))
        .isEqualTo(Errno.ENOTDIR.result());
  }

  @Test
  void knowsThisMachine() throws Exception {
    assertThat(KERNEL.architecture()).isEqualTo(Architecture.current());
    var pageSize =
        KERNEL
            .readText("/proc/self/smaps")
            .lines()
            .filter(line -> line.startsWith("KernelPageSize:"))
            .map(line -> line.replaceAll("\\D", ""))
            .findFirst()
            .orElseThrow();
    assertThat(KERNEL.pageSize()).isEqualTo(1024 * Integer.parseInt(pageSize));
  }

  @Test
  void opensReadsAndClosesAFile() throws Exception {
    int fd = KERNEL.open(file("hello").toString(), Kernel.O_RDONLY);
    assertThat(fd).isNotNegative();

    try (var arena = Arena.ofConfined()) {
      var content = arena.allocate(16);
      assertThat(KERNEL.pread(fd, content, 1)).isEqualTo(4);
      assertThat(content.asSlice(0, 5).toArray(ValueLayout.JAVA_BYTE))
          .isEqualTo("ello\0".getBytes(StandardCharsets.US_ASCII));
      assertThat(KERNEL.pread(fd, content, 5)).as("end of file").isZero();
      assertThat(KERNEL.pread(fd, content.asSlice(0, 0), 0)).as("nothing asked").isZero();
      assertThat(errno(KERNEL.pread(fd, content, -1))).isEqualTo(Errno.EINVAL);
      assertThat(errno(KERNEL.pwrite(fd, content, 0))).as("read only").isEqualTo(Errno.EBADF);
    }
    assertThat(KERNEL.close(fd)).isZero();
    assertThat(errno(KERNEL.close(fd))).isEqualTo(Errno.EBADF);
  }

  @Test
  void writesAtTheOffset() throws Exception {
    var path = file("aaaa");
    int fd = KERNEL.open(path.toString(), Kernel.O_RDWR);
    try (var arena = Arena.ofConfined()) {
      assertThat(KERNEL.pwrite(fd, arena.allocateFrom("bc").asSlice(0, 2), 3)).isEqualTo(2);
    } finally {
      KERNEL.close(fd);
    }
    assertThat(path).hasContent("aaabc");
  }

  @Test
  void readsWithoutWaitingWhatWouldBeWaitedFor() throws Exception {
    int fd = KERNEL.eventFd(0, 0);
    try (var arena = Arena.ofConfined()) {
      var count = arena.allocate(ValueLayout.JAVA_LONG);
      assertThat(errno(KERNEL.readNow(fd, count))).isEqualTo(Errno.EAGAIN);
      KERNEL.write(fd, arena.allocateFrom(ValueLayout.JAVA_LONG, 3));
      assertThat(KERNEL.readNow(fd, count)).isEqualTo(8);
      assertThat(count.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(3);
    } finally {
      KERNEL.close(fd);
    }
    assertThat(errno(KERNEL.readNow(fd, Arena.ofAuto().allocate(8)))).isEqualTo(Errno.EBADF);
  }

  @Test
  void knowsAnEventfdFromOthers() throws Exception {
    int event = KERNEL.eventFd(0, 0);
    int quick = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    int epoll = KERNEL.epollCreate();
    int file = KERNEL.open(file("eventfd").toString(), Kernel.O_RDONLY);
    int none = Errno.EINVAL.result();
    assertThat(KERNEL.eventFdFlags(event) & Kernel.EFD_NONBLOCK).isZero();
    assertThat(KERNEL.eventFdFlags(quick) & Kernel.EFD_NONBLOCK).isNotZero();
    assertThat(KERNEL.eventFdFlags(epoll)).isEqualTo(none);
    assertThat(KERNEL.eventFdFlags(file)).isEqualTo(none);
    assertThat(KERNEL.isWritable(event)).isTrue();
    try (var arena = Arena.ofConfined()) {
      KERNEL.write(event, arena.allocateFrom(ValueLayout.JAVA_LONG, -2));
    }
    assertThat(KERNEL.isWritable(event)).isFalse();
    KERNEL.close(event);
    KERNEL.close(quick);
    KERNEL.close(epoll);
    KERNEL.close(file);
    assertThat(KERNEL.eventFdFlags(event)).isEqualTo(none);
  }

  @Test
  void descriptorsAreClosedOnExec() throws Exception {
    int fd = KERNEL.open("/dev/null", Kernel.O_RDWR);
    try {
      var flags =
          KERNEL
              .readText("/proc/self/fdinfo/" + fd)
              .lines()
              .filter(line -> line.startsWith("flags:"))
              .map(line -> Integer.parseInt(line.substring(6).strip(), 8))
              .findFirst()
              .orElseThrow();
      assertThat(flags & 0x80000).as("O_CLOEXEC").isNotZero();
      assertThat(flags & 3).as("access mode").isEqualTo(Kernel.O_RDWR);
    } finally {
      KERNEL.close(fd);
    }
  }

  @Test
  void aFailedOpenSaysWhy() throws Exception {
    assertThat(errno(KERNEL.open(directory.resolve("no").toString(), Kernel.O_RDONLY)))
        .isEqualTo(Errno.ENOENT);
    assertThat(errno(KERNEL.open(file("").resolve("below").toString(), Kernel.O_RDONLY)))
        .isEqualTo(Errno.ENOTDIR);
    assertThat(errno(KERNEL.open(directory.toString(), Kernel.O_RDWR))).isEqualTo(Errno.EISDIR);
  }

  @Test
  void aFileWithoutPermissionIsAccessDenied() throws Exception {
    boolean root =
        Pattern.compile("^Uid:\\t\\d+\\t0\\t", Pattern.MULTILINE)
            .matcher(KERNEL.readText("/proc/self/status"))
            .find();
    assumeFalse(root, "root may open every file");
    var path = file("");
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("---------"));

    assertThat(errno(KERNEL.open(path.toString(), Kernel.O_RDONLY))).isEqualTo(Errno.EACCES);
  }

  @Test
  void aWritableMappingOfAReadOnlyFileIsAccessDenied() throws Exception {
    int fd = KERNEL.open(file("x").toString(), Kernel.O_RDONLY);
    try {
      long result =
          KERNEL.mmap(
              KERNEL.pageSize(), Kernel.PROT_READ | Kernel.PROT_WRITE, Kernel.MAP_SHARED, fd, 0);
      assertThat(errno(result)).isEqualTo(Errno.EACCES);
    } finally {
      KERNEL.close(fd);
    }
  }

  @Test
  void anIoctlOfAnotherKindOfFileIsUnknownThere() {
    int fd = KERNEL.open("/dev/null", Kernel.O_RDWR);
    try (var arena = Arena.ofConfined()) {
      assertThat(errno(KERNEL.ioctl(fd, Vfio.VFIO_GET_API_VERSION, 0))).isEqualTo(Errno.ENOTTY);
      assertThat(errno(KERNEL.ioctl(fd, Vfio.VFIO_DEVICE_GET_INFO, arena.allocate(24))))
          .isEqualTo(Errno.ENOTTY);
    } finally {
      KERNEL.close(fd);
    }
    assertThat(errno(KERNEL.ioctl(-1, Vfio.VFIO_GET_API_VERSION, 0))).isEqualTo(Errno.EBADF);
  }

  @Test
  void anIoctlFillsItsStruct() throws Exception {
    assumeFalse(
        KERNEL.architecture() == Architecture.PPC64LE,
        "on POWER, FIONREAD has a direction and a size");
    var bytesLeft = new Ioctl("FIONREAD", 'T', 0x1b);
    int fd = KERNEL.open(file("12345").toString(), Kernel.O_RDONLY);
    try (var arena = Arena.ofConfined()) {
      var count = arena.allocate(ValueLayout.JAVA_INT);
      assertThat(KERNEL.ioctl(fd, bytesLeft, count)).isZero();
      assertThat(count.get(ValueLayout.JAVA_INT, 0)).isEqualTo(5);
      assertThat(KERNEL.ioctl(fd, bytesLeft, count.address())).as("the number is it").isZero();
      assertThat(errno(KERNEL.ioctl(fd, bytesLeft, 8))).isEqualTo(Errno.EFAULT);
    } finally {
      KERNEL.close(fd);
    }
  }

  @Test
  void memoryOfTheJavaHeapIsRefused() {
    var heap = MemorySegment.ofArray(new byte[8]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> KERNEL.ioctl(-1, Vfio.VFIO_DEVICE_GET_INFO, heap));
    assertThatIllegalArgumentException().isThrownBy(() -> KERNEL.pread(-1, heap, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> KERNEL.pwrite(-1, heap, 0));
  }

  @Test
  void memoryThatWasFreedIsRefused() {
    MemorySegment freed;
    try (var arena = Arena.ofConfined()) {
      freed = arena.allocate(8);
    }
    assertThatIllegalStateException()
        .isThrownBy(() -> KERNEL.ioctl(-1, Vfio.VFIO_DEVICE_GET_INFO, freed));
    assertThatIllegalStateException().isThrownBy(() -> KERNEL.pread(-1, freed, 0));
  }

  @Test
  void anonymousMemoryLivesAsLongAsItsArena() {
    long size = 3L * KERNEL.pageSize();
    long address =
        KERNEL.mmap(
            size,
            Kernel.PROT_READ | Kernel.PROT_WRITE,
            Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS,
            -1,
            0);
    assertThat(address).isPositive();
    assertThat(address % KERNEL.pageSize()).isZero();

    MemorySegment memory;
    try (var lifetime = Arena.ofConfined()) {
      memory = KERNEL.memory(address, size, lifetime);
      assertThat(memory.address()).isEqualTo(address);
      assertThat(memory.byteSize()).isEqualTo(size);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, size - 1)).isZero();
      memory.fill((byte) 7);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, size - 1)).isEqualTo((byte) 7);
    }
    assertThatIllegalStateException().isThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0));
    assertThat(KERNEL.munmap(address, size)).isZero();
    assertThat(isMapped(address)).isFalse();
  }

  @Test
  void lockedPagesAreCountedUntilTheyAreUnmapped() throws Exception {
    long size = 2L * KERNEL.pageSize();
    long before = lockedKilobytes();
    long address =
        KERNEL.mmap(
            size,
            Kernel.PROT_READ | Kernel.PROT_WRITE,
            Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS,
            -1,
            0);
    assertThat(KERNEL.mlock(address, size)).isZero();
    assertThat(lockedKilobytes()).isEqualTo(before + size / 1024);

    assertThat(KERNEL.munmap(address, size)).isZero();
    assertThat(lockedKilobytes()).isEqualTo(before);
    assertThat(errno(KERNEL.mlock(address, size))).as("nothing there").isEqualTo(Errno.ENOMEM);
  }

  private static long lockedKilobytes() throws Exception {
    return KERNEL
        .readText("/proc/self/status")
        .lines()
        .filter(line -> line.startsWith("VmLck:"))
        .map(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }

  private static boolean isMapped(long address) {
    try {
      return KERNEL
          .readText("/proc/self/maps")
          .lines()
          .map(line -> line.substring(0, line.indexOf(' ')).split("-", 2))
          .anyMatch(
              range ->
                  address >= Long.parseUnsignedLong(range[0], 16)
                      && address < Long.parseUnsignedLong(range[1], 16));
    } catch (ErrnoException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aFailedMapOrUnmapSaysWhy() throws Exception {
    int privateMemory = Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS;
    assertThat(errno(KERNEL.mmap(0, Kernel.PROT_READ, privateMemory, -1, 0)))
        .isEqualTo(Errno.EINVAL);
    assertThat(errno(KERNEL.mmap(1L << 62, Kernel.PROT_READ, privateMemory, -1, 0)))
        .isEqualTo(Errno.ENOMEM);
    assertThat(errno(KERNEL.mmap(KERNEL.pageSize(), Kernel.PROT_READ, Kernel.MAP_SHARED, -1, 0)))
        .isEqualTo(Errno.EBADF);
    assertThat(errno(KERNEL.munmap(1, KERNEL.pageSize()))).isEqualTo(Errno.EINVAL);

    int fd = KERNEL.open("/proc/self/status", Kernel.O_RDONLY);
    try {
      assertThat(errno(KERNEL.mmap(4096, Kernel.PROT_READ, Kernel.MAP_SHARED, fd, 0)))
          .isIn(Errno.EIO, Errno.ENODEV);
    } finally {
      KERNEL.close(fd);
    }
  }

  @Test
  void theLockedMemoryLimitIsTheSoftOne() throws Exception {
    var soft =
        KERNEL
            .readText("/proc/self/limits")
            .lines()
            .filter(line -> line.startsWith("Max locked memory"))
            .map(line -> line.substring("Max locked memory".length()).strip().split(" +", -1)[0])
            .findFirst()
            .orElseThrow();

    assertThat(KERNEL.lockedMemoryLimit())
        .isEqualTo(soft.equals("unlimited") ? Kernel.NO_LIMIT : Long.parseLong(soft));
  }

  @Test
  void readsWholeSmallFiles() throws Exception {
    assertThat(KERNEL.readText(file("vfio-pci\n").toString())).isEqualTo("vfio-pci");
    assertThat(KERNEL.readText(file("").toString())).isEmpty();
    assertThat(KERNEL.readText(file("\u00fc\n").toString())).isEqualTo("\u00fc");

    byte[] bytes = {0, 1, (byte) 0xff, '\n'};
    assertThat(KERNEL.readBytes(Files.write(directory.resolve("raw"), bytes).toString()))
        .isEqualTo(bytes);
    assertThat(KERNEL.readText("/proc/self/status")).contains("VmLck:");
  }

  @Test
  void readsAtMostOneMebibyte() throws Exception {
    var path = Files.write(directory.resolve("big"), new byte[(1 << 20) + 5]);

    assertThat(KERNEL.readBytes(path.toString())).hasSize(1 << 20);
  }

  @Test
  void listsADirectory() throws Exception {
    Files.createFile(directory.resolve("a"));
    Files.createDirectory(directory.resolve("b"));
    Files.createSymbolicLink(directory.resolve("c"), Path.of("nowhere"));

    assertThat(KERNEL.list(directory.toString())).containsExactlyInAnyOrder("a", "b", "c");
    assertThat(KERNEL.readLink(directory.resolve("c").toString())).isEqualTo("nowhere");
  }

  @Test
  void aFileThatCannotBeReadSaysWhichAndWhy() throws Exception {
    var missing = directory.resolve("missing").toString();
    var plain = file("").toString();

    assertFailure(() -> KERNEL.readText(missing), Errno.ENOENT, "open(" + missing + ")");
    assertFailure(
        () -> KERNEL.readText(directory.toString()), Errno.EISDIR, "read(" + directory + ")");
    assertFailure(() -> KERNEL.list(missing), Errno.ENOENT, "opendir(" + missing + ")");
    assertFailure(() -> KERNEL.list(plain), Errno.ENOTDIR, "opendir(" + plain + ")");
    assertFailure(() -> KERNEL.readLink(missing), Errno.ENOENT, "readlink(" + missing + ")");
    assertFailure(() -> KERNEL.readLink(plain), Errno.EINVAL, "readlink(" + plain + ")");
  }

  private static void assertFailure(Callable<?> call, Errno errno, String operation) {
    assertThatThrownBy(call::call)
        .isInstanceOfSatisfying(ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(errno))
        .hasMessage("%s failed: %s (%s)", operation, errno.symbol(), errno.text());
  }

  @Test
  void failuresLeaveNoDescriptorOpen() throws Exception {
    failInEveryWay();
    int before = KERNEL.list("/proc/self/fd").size();
    for (int i = 0; i < 50; i++) {
      failInEveryWay();
    }
    assertThat(KERNEL.list("/proc/self/fd")).hasSize(before);
  }

  private void failInEveryWay() throws Exception {
    assertThatThrownBy(() -> KERNEL.readText(directory.toString()))
        .isInstanceOf(ErrnoException.class);
    assertThatThrownBy(() -> KERNEL.list(directory.resolve("missing").toString()))
        .isInstanceOf(ErrnoException.class);
    assertThatThrownBy(() -> KERNEL.readLink(directory.toString()))
        .isInstanceOf(ErrnoException.class);
    assertThat(KERNEL.open(directory.toString(), Kernel.O_RDWR)).isNegative();
    assertThat(KERNEL.list(directory.toString())).isNotNull();
    assertThat(KERNEL.readText("/proc/self/limits")).isNotEmpty();
  }

  @Test
  void eachThreadHasAnErrnoOfItsOwn() throws Exception {
    int fd = KERNEL.open("/dev/null", Kernel.O_RDWR);
    var missing = directory.resolve("missing").toString();
    var start = new CountDownLatch(1);
    var threads = Executors.newFixedThreadPool(8);
    var outcomes = new ArrayList<Future<Integer>>();
    for (int i = 0; i < 2; i++) {
      outcomes.add(threads.submit(calls(start, Errno.EBADF, () -> KERNEL.close(-1))));
      outcomes.add(
          threads.submit(
              calls(start, Errno.ENOTTY, () -> KERNEL.ioctl(fd, Vfio.VFIO_GET_API_VERSION, 0))));
      outcomes.add(
          threads.submit(calls(start, Errno.ENOENT, () -> KERNEL.open(missing, Kernel.O_RDONLY))));
      outcomes.add(threads.submit(calls(start, Errno.EINVAL, () -> KERNEL.munmap(1, 1))));
    }
    start.countDown();
    threads.shutdown();
    assertThat(threads.awaitTermination(60, TimeUnit.SECONDS)).isTrue();
    for (var outcome : outcomes) {
      assertThat(outcome.get()).isZero();
    }
    KERNEL.close(fd);
  }

  /** Counts the answers that are not the expected one. */
  private static Callable<Integer> calls(CountDownLatch start, Errno expected, IntSupplier call) {
    return () -> {
      start.await();
      int wrong = 0;
      for (int i = 0; i < 20_000; i++) {
        if (call.getAsInt() != expected.result()) {
          wrong++;
        }
      }
      return wrong;
    };
  }

  @Test
  void keepsAddressesWithoutTheirMemory() throws Exception {
    int file = KERNEL.open(file("text").toString(), Kernel.O_RDONLY);
    int size = KERNEL.pageSize();
    long address =
        KERNEL.mmap(size, Kernel.PROT_READ, Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS, -1, 0);
    assertThat(KERNEL.remapInaccessible(address, size)).isEqualTo(address);
    var memory = NativeMemory.at(address, 4, Arena.global());
    assertThat(errno(KERNEL.pread(file, memory, 0))).isEqualTo(Errno.EFAULT);
    assertThat(KERNEL.munmap(address, size)).isZero();
    assertThat(errno(KERNEL.remapInaccessible(address, 0))).isEqualTo(Errno.EINVAL);
    KERNEL.close(file);
  }

  /** As io_uring does: what interrupts a wait neither ends it nor makes it longer. */
  @Test
  void waitsAsLongAsItIsToldWhateverInterruptsIt() throws Exception {
    int event = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    int set = KERNEL.epollCreate();
    assertThat(KERNEL.epollControl(set, Kernel.EPOLL_CTL_ADD, event, Kernel.EPOLLIN)).isZero();
    var full = UnixSocket.pair(KERNEL);
    fill(full.first());
    assertInterruptible(limit -> KERNEL.awaitReadable(event, limit));
    assertInterruptible(limit -> KERNEL.epollWait(set, new int[1], limit));
    assertInterruptible(limit -> KERNEL.awaitWritable(full.first().fd(), limit));
    full.first().close();
    full.second().close();
    KERNEL.close(set);
    KERNEL.close(event);
  }

  private static void fill(UnixSocket socket) {
    try (var arena = Arena.ofConfined()) {
      var bytes = arena.allocate(1 << 16);
      while (socket.send(bytes, 0, bytes.byteSize(), new int[0], 0, false) > 0) {
        // There is room for more.
      }
    }
  }

  private static void assertInterruptible(IntUnaryOperator wait) throws Exception {
    int limit = 400;
    try (var signals = new Signals()) {
      var waiting = new CompletableFuture<Integer>();
      var result = new CompletableFuture<Integer>();
      long start = System.nanoTime();
      Thread.ofPlatform()
          .start(
              () -> {
                waiting.complete(Signals.thisThread());
                result.complete(wait.applyAsInt(limit));
              });
      while (!result.isDone()) {
        signals.send(waiting.get());
        Thread.sleep(5);
      }
      assertThat(result.get()).as("nothing has come").isZero();
      long millis = (System.nanoTime() - start) / 1_000_000;
      assertThat(millis).isGreaterThanOrEqualTo(limit).isLessThan(20L * limit);
    }
  }
}
