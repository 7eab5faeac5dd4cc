// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.FileStatus;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A file whose cache is left out: which one it is, and what it takes. */
class DirectFileTest {
  private static final int SIZE = 1 << 20;
  private static final int WRITE = 1;
  private static final int READ = 2;

  @TempDir Path directory;

  private Path file;

  @BeforeEach
  void makeFile() throws IOException {
    file = Files.write(directory.resolve("disk"), new byte[SIZE]);
  }

  /** A disk of larger sectors than most, of which the kernel does not tell. */
  private static class Sectors extends ForwardingKernel {
    private final int sector;
    private volatile int directFd = -1;
    final AtomicInteger transfers = new AtomicInteger();

    Sectors(int sector) {
      super(LinuxKernel.instance());
      this.sector = sector;
    }

    @Override
    public int open(String path, int flags, int mode) {
      int fd = super.open(path, flags & ~Kernel.O_DIRECT, mode); // not all file systems have it
      if ((flags & Kernel.O_DIRECT) != 0) {
        directFd = fd;
      }
      return fd;
    }

    @Override
    public FileStatus status(int fd) throws ErrnoException {
      var status = super.status(fd);
      return new FileStatus(
          status.regular(),
          status.byteSize(),
          status.blockSize(),
          status.allocatedBytes(),
          status.links(),
          status.isBlockDevice(),
          0,
          0);
    }

    private boolean refuses(int fd, long address, long byteSize, long offset) {
      if (fd != directFd) {
        return false;
      }
      boolean isRefused = ((address | byteSize | offset) & (sector - 1)) != 0;
      if (!isRefused) {
        transfers.incrementAndGet();
      }
      return isRefused;
    }

    private boolean refuses(int fd, MemorySegment vectors, int count, long offset) {
      boolean isRefused = false;
      for (int i = 0; i < count; i++) {
        long address = vectors.getAtIndex(ValueLayout.JAVA_LONG, 2L * i);
        long length = vectors.getAtIndex(ValueLayout.JAVA_LONG, 2L * i + 1);
        isRefused |= refuses(fd, address, length, offset);
      }
      return isRefused;
    }

    @Override
    public long pread(int fd, MemorySegment target, long offset) {
      return refuses(fd, target.address(), target.byteSize(), offset)
          ? Errno.EINVAL.result()
          : super.pread(fd, target, offset);
    }

    @Override
    public long preadv(int fd, MemorySegment vectors, int count, long offset) {
      return refuses(fd, vectors, count, offset)
          ? Errno.EINVAL.result()
          : super.preadv(fd, vectors, count, offset);
    }

    @Override
    public long pwritev(int fd, MemorySegment vectors, int count, long offset) {
      return refuses(fd, vectors, count, offset)
          ? Errno.EINVAL.result()
          : super.pwritev(fd, vectors, count, offset);
    }
  }

  private NvmeModelOptions options(Kernel kernel) {
    return NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE).withDirectIo())
        .withKernel(kernel)
        .withoutRing();
  }

  @ParameterizedTest
  @ValueSource(ints = {512, 1024, 4096})
  void findsWhatADiskTakesWhereTheKernelDoesNotTell(int sector) {
    var kernel = new Sectors(sector);
    try (var host = new NvmeHost(options(kernel), true).enableIo()) {
      for (int blocks : new int[] {1, 2, 8}) {
        for (int lba : new int[] {0, 1, 8}) {
          host.memory.asSlice(DATA, 4096).fill((byte) (lba + 1));
          assertThat(host.io.run(NvmeHost.blocks(WRITE, lba, blocks)).status()).isZero();
          host.memory.asSlice(DATA, 4096).fill((byte) 0);
          assertThat(host.io.run(NvmeHost.blocks(READ, lba, blocks)).status()).isZero();
          assertThat(host.memory.get(LE8, DATA + 512L * blocks - 1)).isEqualTo((byte) (lba + 1));
        }
      }
      assertThat(kernel.transfers.get()).as("without the cache").isGreaterThanOrEqualTo(4);
    }
  }

  @Test
  void refusesADiskWhoseSectorsAreTooLarge() {
    assertThatThrownBy(() -> NvmeModel.of(options(new Sectors(1 << 16))))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContainingAll(file.toString(), "EINVAL", "Serve it with the cache");
  }

  /** Whoever may rename files there would have blocks go to another file. */
  @Test
  void opensTheSameFileTwiceWhateverItsNameIsBy() throws IOException {
    var other = Files.write(directory.resolve("other"), new byte[SIZE]);
    var moved = directory.resolve("moved");
    var kernel =
        new Sectors(512) {
          @Override
          public int open(String path, int flags, int mode) {
            int fd = super.open(path, flags, mode);
            try {
              if (path.equals(file.toString()) && Files.notExists(moved)) {
                Files.move(file, moved);
                Files.move(other, file);
              }
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
            return fd;
          }
        };
    try (var host = new NvmeHost(options(kernel), true).enableIo()) {
      host.memory.asSlice(DATA, 4096).fill((byte) 7);
      assertThat(host.io.run(NvmeHost.blocks(WRITE, 0, 8)).status()).isZero();
      assertThat(kernel.transfers.get()).isPositive();
    }
    assertThat(Files.readAllBytes(moved)[4095]).isEqualTo((byte) 7);
    assertThat(Files.readAllBytes(file)).containsOnly(0);
  }
}
