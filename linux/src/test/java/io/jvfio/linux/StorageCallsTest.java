// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.BitSet;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The system calls that storage needs, on files of this machine. */
class StorageCallsTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final Errno NONE = Errno.of(4095);

  @TempDir Path directory;

  private final Arena arena = Arena.ofShared();

  @AfterEach
  void free() {
    arena.close();
  }

  private static Errno errno(long result) {
    return result < 0 ? Errno.ofResult(result) : NONE;
  }

  private String path(String name) {
    return directory.resolve(name).toString();
  }

  private int open(String content) throws IOException {
    Files.writeString(Path.of(path("file")), content);
    int fd = KERNEL.open(path("file"), Kernel.O_RDWR);
    assertThat(fd).isNotNegative();
    return fd;
  }

  private MemorySegment text(String text) {
    return arena
        .allocate(text.length())
        .copyFrom(MemorySegment.ofArray(text.getBytes(StandardCharsets.US_ASCII)));
  }

  private static String text(MemorySegment memory) {
    return new String(memory.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
  }

  private MemorySegment vectors(MemorySegment... pieces) {
    var vectors = arena.allocate(16L * pieces.length, 8);
    for (int i = 0; i < pieces.length; i++) {
      vectors.setAtIndex(ValueLayout.ADDRESS, 2L * i, pieces[i]);
      vectors.setAtIndex(ValueLayout.JAVA_LONG, 2L * i + 1, pieces[i].byteSize());
    }
    return vectors;
  }

  @Test
  void makesAFileWithThePermissionsThatItIsTold() throws Exception {
    int flags = Kernel.O_RDWR | Kernel.O_CREAT | Kernel.O_EXCL;
    int fd = KERNEL.open(path("new"), flags, 0600);
    assertThat(fd).isNotNegative();
    assertThat(KERNEL.close(fd)).isZero();
    assertThat(Files.getPosixFilePermissions(Path.of(path("new"))))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));

    assertThat(errno(KERNEL.open(path("new"), flags, 0600))).isEqualTo(Errno.EEXIST);
    assertThat(errno(KERNEL.open(path("none"), Kernel.O_RDWR, 0600))).isEqualTo(Errno.ENOENT);
  }

  @Test
  void losesTheContentOfAFileOnRequest() throws Exception {
    KERNEL.close(open("content"));
    KERNEL.close(KERNEL.open(path("file"), Kernel.O_WRONLY));
    assertThat(Path.of(path("file"))).hasContent("content");

    int fd = KERNEL.open(path("file"), Kernel.O_WRONLY | Kernel.O_TRUNC);
    assertThat(KERNEL.fileSize(fd)).isZero();
    assertThat(errno(KERNEL.pread(fd, text("a"), 0))).as("write only").isEqualTo(Errno.EBADF);
    KERNEL.close(fd);
  }

  @Test
  void opensNoSymbolicLinkAndOnlyADirectoryOnRequest() throws Exception {
    KERNEL.close(open("content"));
    Files.createSymbolicLink(Path.of(path("link")), Path.of(path("file")));

    int fd = KERNEL.open(path("link"), Kernel.O_RDONLY);
    assertThat(fd).isNotNegative();
    KERNEL.close(fd);
    assertThat(errno(KERNEL.open(path("link"), Kernel.O_RDONLY | Kernel.O_NOFOLLOW)))
        .isEqualTo(Errno.ELOOP);
    assertThat(errno(KERNEL.open(path("file"), Kernel.O_RDONLY | Kernel.O_DIRECTORY)))
        .isEqualTo(Errno.ENOTDIR);
    fd = KERNEL.open(directory.toString(), Kernel.O_RDONLY | Kernel.O_DIRECTORY);
    assertThat(fd).isNotNegative();
    KERNEL.close(fd);
  }

  @Test
  void directTransfersMustBeAlignedAsTheStatusTells() throws Exception {
    KERNEL.close(open("x".repeat(8192)));
    int fd = KERNEL.open(path("file"), Kernel.O_RDWR | Kernel.O_DIRECT);
    assertThat(fd).isNotNegative();
    try {
      var status = KERNEL.status(fd);
      int memoryAlignment = Math.max(status.directMemoryAlignment(), 512);
      int offsetAlignment = Math.max(status.directOffsetAlignment(), 512);
      assertThat(8192 % offsetAlignment).isZero();
      var memory = arena.allocate(16384, Math.max(memoryAlignment, 4096));

      var aligned = memory.asSlice(0, offsetAlignment);
      assertThat(KERNEL.pread(fd, aligned, 0)).isEqualTo(offsetAlignment);
      assertThat(text(aligned)).isEqualTo("x".repeat(offsetAlignment));
      assertThat(errno(KERNEL.pread(fd, aligned, 1))).isEqualTo(Errno.EINVAL);
      assertThat(errno(KERNEL.pwrite(fd, memory.asSlice(0, 100), 0))).isEqualTo(Errno.EINVAL);
    } finally {
      KERNEL.close(fd);
    }
  }

  @Test
  void flagsAreTranslatedWhereTheyAreOtherBits() {
    int flags = Kernel.O_RDWR | Kernel.O_CREAT;
    int all = flags | Kernel.O_DIRECT | Kernel.O_DIRECTORY | Kernel.O_NOFOLLOW;
    for (var same : new Architecture[] {Architecture.X86_64, Architecture.RISCV64}) {
      assertThat(same.openFlags(all)).isEqualTo(all);
    }
    var arm = Architecture.AARCH64;
    assertThat(arm.openFlags(flags)).isEqualTo(flags);
    assertThat(arm.openFlags(Kernel.O_DIRECT)).isEqualTo(0x10000);
    assertThat(arm.openFlags(all)).isEqualTo(flags | 0x10000 | 0x4000 | 0x8000);
    assertThat(Architecture.PPC64LE.openFlags(Kernel.O_DIRECT)).isEqualTo(0x20000);
    assertThat(Architecture.PPC64LE.openFlags(all)).isEqualTo(flags | 0x20000 | 0x4000 | 0x8000);
  }

  @Test
  void tellsAndChangesTheSizeOfAFile() throws Exception {
    int fd = open("123456789");
    assertThat(KERNEL.fileSize(fd)).isEqualTo(9);
    assertThat(KERNEL.truncate(fd, 1L << 33)).isZero();
    assertThat(KERNEL.fileSize(fd)).isEqualTo(1L << 33);
    assertThat(KERNEL.truncate(fd, 3)).isZero();
    assertThat(Path.of(path("file"))).hasContent("123");
    assertThat(errno(KERNEL.truncate(fd, -1))).isEqualTo(Errno.EINVAL);
    KERNEL.close(fd);
    assertThat(errno(KERNEL.truncate(fd, 3))).isEqualTo(Errno.EBADF);
    assertThat(errno(KERNEL.fileSize(fd))).isEqualTo(Errno.EBADF);

    int socket = KERNEL.eventFd(0, 0);
    assertThat(errno(KERNEL.truncate(socket, 3))).isEqualTo(Errno.EINVAL);
    KERNEL.close(socket);
  }

  @Test
  void takesSpaceAndGivesItBack() throws Exception {
    int fd = open("");
    assertThat(KERNEL.allocate(fd, 0, 0, 1 << 20)).isZero();
    assertThat(KERNEL.fileSize(fd)).isEqualTo(1 << 20);
    assertThat(KERNEL.status(fd).allocatedBytes()).isGreaterThanOrEqualTo(1 << 20);

    int punch = Kernel.FALLOC_FL_PUNCH_HOLE | Kernel.FALLOC_FL_KEEP_SIZE;
    KERNEL.pwrite(fd, text("abcdef"), 0);
    assertThat(KERNEL.allocate(fd, punch, 1, 1 << 20)).isZero();
    var content = arena.allocate(6);
    assertThat(KERNEL.pread(fd, content, 0)).isEqualTo(6);
    assertThat(text(content)).isEqualTo("a\0\0\0\0\0");
    var status = KERNEL.status(fd);
    assertThat(status.byteSize()).isEqualTo(1 << 20);
    assertThat(status.allocatedBytes()).isBetween(1L, 1L << 16);

    assertThat(errno(KERNEL.allocate(fd, Kernel.FALLOC_FL_PUNCH_HOLE, 0, 4096)))
        .as("a hole cannot change the size")
        .isEqualTo(Errno.EOPNOTSUPP);
    assertThat(errno(KERNEL.allocate(fd, 0, -1, 1))).isEqualTo(Errno.EINVAL);
    KERNEL.close(fd);
  }

  @Test
  void zeroesARangeWithoutGivingItsSpaceBack() throws Exception {
    int fd = open("x".repeat(1 << 16));
    assertThat(KERNEL.allocate(fd, Kernel.FALLOC_FL_ZERO_RANGE, 4096, 1 << 15)).isZero();
    assertThat(KERNEL.status(fd).allocatedBytes()).isGreaterThanOrEqualTo(1 << 16);
    var content = arena.allocate(1 << 16);
    KERNEL.pread(fd, content, 0);
    assertThat(text(content))
        .isEqualTo("x".repeat(4096) + "\0".repeat(1 << 15) + "x".repeat((1 << 15) - 4096));
    KERNEL.close(fd);
  }

  @Test
  void synchronizesWhatCanBe() throws Exception {
    int fd = open("content");
    assertThat(KERNEL.synchronizeData(fd)).isZero();
    KERNEL.close(fd);
    assertThat(errno(KERNEL.synchronizeData(fd))).isEqualTo(Errno.EBADF);
    int event = KERNEL.eventFd(0, 0);
    assertThat(errno(KERNEL.synchronizeData(event))).isEqualTo(Errno.EINVAL);
    KERNEL.close(event);
  }

  @Test
  void readsAndWritesSeveralPieces() throws Exception {
    int fd = open("0123456789");
    assertThat(KERNEL.pwritev(fd, vectors(text("ab"), text(""), text("cde")), 3, 4)).isEqualTo(5);
    assertThat(Path.of(path("file"))).hasContent("0123abcde9");

    var first = arena.allocate(3);
    var second = arena.allocate(8);
    assertThat(KERNEL.preadv(fd, vectors(first, second), 2, 2)).as("to the end").isEqualTo(8);
    assertThat(text(first)).isEqualTo("23a");
    assertThat(text(second)).isEqualTo("bcde9\0\0\0");
    assertThat(KERNEL.preadv(fd, vectors(first, second), 1, 0)).as("one of them").isEqualTo(3);
    assertThat(text(first)).isEqualTo("012");
    KERNEL.close(fd);
  }

  @Test
  void aFailedTransferOfSeveralPiecesSaysWhy() throws Exception {
    int fd = open("0123456789");
    var vectors = vectors(text("ab"), MemorySegment.ofAddress(4096));
    vectors.setAtIndex(ValueLayout.JAVA_LONG, 3, 2);
    assertThat(KERNEL.pwritev(fd, vectors, 2, 0)).as("up to what is not there").isEqualTo(2);
    assertThat(errno(KERNEL.preadv(fd, vectors.asSlice(16), 1, 0))).isEqualTo(Errno.EFAULT);
    assertThat(errno(KERNEL.pwritev(fd, vectors.asSlice(16), 1, 0))).isEqualTo(Errno.EFAULT);
    assertThat(errno(KERNEL.preadv(fd, vectors, 1, -1))).isEqualTo(Errno.EINVAL);
    assertThat(errno(KERNEL.pwritev(fd, vectors, 1025, 0))).isEqualTo(Errno.EINVAL);
    assertThat(Path.of(path("file"))).hasContent("ab23456789");
    KERNEL.close(fd);
    assertThat(errno(KERNEL.preadv(fd, vectors, 1, 0))).isEqualTo(Errno.EBADF);
  }

  @Test
  void anExclusiveLockKeepsOthersOut() throws Exception {
    int first = open("content");
    int second = KERNEL.open(path("file"), Kernel.O_RDWR);
    assertThat(KERNEL.lockFile(first, true)).isZero();
    assertThat(errno(KERNEL.lockFile(second, true))).isEqualTo(Errno.EAGAIN);
    assertThat(errno(KERNEL.lockFile(second, false))).isEqualTo(Errno.EAGAIN);
    assertThat(KERNEL.unlockFile(first)).isZero();
    assertThat(KERNEL.lockFile(second, true)).isZero();
    assertThat(KERNEL.unlockFile(first)).as("it has none").isZero();
    assertThat(errno(KERNEL.lockFile(first, true))).isEqualTo(Errno.EAGAIN);
    KERNEL.close(second);
    assertThat(KERNEL.lockFile(first, true)).as("it went with its descriptor").isZero();
    KERNEL.close(first);
    assertThat(errno(KERNEL.unlockFile(first))).isEqualTo(Errno.EBADF);
  }

  @Test
  void locksThatAreNotExclusiveAreSharedByReaders() throws Exception {
    KERNEL.close(open("content"));
    int first = KERNEL.open(path("file"), Kernel.O_RDONLY);
    int second = KERNEL.open(path("file"), Kernel.O_RDONLY);
    int writer = KERNEL.open(path("file"), Kernel.O_RDWR);
    assertThat(KERNEL.lockFile(first, false)).isZero();
    assertThat(KERNEL.lockFile(second, false)).isZero();
    assertThat(errno(KERNEL.lockFile(writer, true))).isEqualTo(Errno.EAGAIN);
    assertThat(errno(KERNEL.lockFile(first, true))).as("read only").isEqualTo(Errno.EBADF);
    KERNEL.close(first);
    KERNEL.close(second);
    assertThat(KERNEL.lockFile(writer, true)).isZero();
    KERNEL.close(writer);
  }

  @Test
  void tellsWhatIsBehindADescriptor() throws Exception {
    int fd = open("x".repeat(5000));
    KERNEL.synchronizeData(fd); // the file system may take space as late as that
    var status = KERNEL.status(fd);
    assertThat(status.regular()).isTrue();
    assertThat(status.isBlockDevice()).isFalse();
    assertThat(status.byteSize()).isEqualTo(5000);
    assertThat(status.allocatedBytes()).isBetween(5000L, 1L << 20);
    assertThat(status.blockSize()).isPositive();
    assertThat(status.links()).isOne();

    Files.createLink(Path.of(path("other")), Path.of(path("file")));
    assertThat(KERNEL.status(fd).links()).isEqualTo(2);
    Files.delete(Path.of(path("other")));
    Files.delete(Path.of(path("file")));
    assertThat(KERNEL.status(fd).links()).isZero();
    KERNEL.close(fd);
    assertThatThrownBy(() -> KERNEL.status(fd))
        .isInstanceOf(ErrnoException.class)
        .hasMessage("statx(fd " + fd + ") failed: EBADF (Bad file descriptor)");

    int device = KERNEL.open("/dev/null", Kernel.O_RDWR);
    var other = KERNEL.status(device);
    assertThat(other.regular()).isFalse();
    assertThat(other.isBlockDevice()).isFalse();
    assertThat(other.directOffsetAlignment()).isZero();
    KERNEL.close(device);
  }

  @Test
  void aThreadRunsWhereItIsToldTo() throws Exception {
    var allowed = KERNEL.processors();
    assertThat(allowed.cardinality()).isPositive();
    var last = new BitSet();
    last.set(allowed.length() - 1);
    var elsewhere = new BitSet();
    elsewhere.set(1 << 14);

    var bound =
        onThread(
            () -> {
              assertThat(errno(KERNEL.setProcessors(new BitSet()))).isEqualTo(Errno.EINVAL);
              assertThat(errno(KERNEL.setProcessors(elsewhere))).isEqualTo(Errno.EINVAL);
              assertThat(KERNEL.setProcessors(last)).isZero();
              return KERNEL.processors();
            });

    assertThat(bound).isEqualTo(last);
    assertThat(KERNEL.processors()).as("of this thread").isEqualTo(allowed);
  }

  private static <T> T onThread(Callable<T> task) throws Exception {
    var future = new FutureTask<>(task);
    Thread.ofPlatform().start(future);
    return future.get();
  }

  @Test
  void aKernelWithoutStorageAndSocketsSaysSo() {
    var kernel =
        (Kernel)
            Proxy.newProxyInstance(
                Kernel.class.getClassLoader(),
                new Class<?>[] {Kernel.class},
                InvocationHandler::invokeDefault);
    var memory = MemorySegment.NULL;
    int absent = Errno.ENOSYS.result();
    assertThat(kernel.preadv(0, memory, 0, 0)).isEqualTo(absent);
    assertThat(kernel.pwritev(0, memory, 0, 0)).isEqualTo(absent);
    assertThat(kernel.fileSize(0)).isEqualTo(absent);
    assertThat(kernel.truncate(0, 0)).isEqualTo(absent);
    assertThat(kernel.allocate(0, 0, 0, 0)).isEqualTo(absent);
    assertThat(kernel.synchronizeData(0)).isEqualTo(absent);
    assertThat(kernel.lockFile(0, true)).isEqualTo(absent);
    assertThat(kernel.unlockFile(0)).isEqualTo(absent);
    assertThat(kernel.ioUringSetup(0, memory)).isEqualTo(absent);
    assertThat(kernel.ioUringEnter(0, 0, 0, 0)).isEqualTo(absent);
    assertThat(kernel.ioUringRegister(0, 0, memory, 0)).isEqualTo(absent);
    assertThatThrownBy(() -> kernel.status(3)).hasMessageContaining("statx(fd 3) failed: ENOSYS");
    assertThat(kernel.readNow(0, memory)).isEqualTo(absent);
    assertThat(kernel.socket()).isEqualTo(absent);
    assertThat(kernel.socketPair(new int[2])).isEqualTo(absent);
    assertThat(kernel.bind(0, "")).isEqualTo(absent);
    assertThat(kernel.connect(0, "")).isEqualTo(absent);
    assertThat(kernel.access("", 0)).isEqualTo(absent);
    assertThat(kernel.changeMode(0, 0)).isEqualTo(absent);
    assertThat(kernel.listen(0, 0)).isEqualTo(absent);
    assertThat(kernel.accept(0)).isEqualTo(absent);
    assertThat(kernel.shutdown(0)).isEqualTo(absent);
    assertThat(kernel.setSocketOption(0, 0, memory)).isEqualTo(absent);
    assertThat(kernel.socketOption(0, 0)).isEqualTo(absent);
    assertThat(kernel.send(0, memory, 0, 0, true)).isEqualTo(absent);
    assertThat(kernel.sendMessage(0, memory, true)).isEqualTo(absent);
    assertThat(kernel.receiveMessage(0, memory, true, true)).isEqualTo(absent);
    assertThat(kernel.awaitWritable(0, 0)).isEqualTo(absent);
    assertThat(kernel.remap(0, 0, 0, 0, 0)).isEqualTo(absent);
    assertThat(kernel.remapInaccessible(0, 0)).isEqualTo(absent);
  }
}
