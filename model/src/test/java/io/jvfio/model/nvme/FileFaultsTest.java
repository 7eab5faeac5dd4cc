// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an operator is told of a file, and how often. */
class FileFaultsTest {
  private static final int SIZE = 1 << 20;
  private static final long SECOND = 1_000_000_000;
  private static final Command FLUSH = new Command(0, 1, 0, 0, 0, 0, 0);

  @TempDir Path directory;

  private final HandClock clock = new HandClock();
  private final LogLines log = new LogLines();

  @AfterEach
  void close() {
    log.close();
  }

  private static String like(int count) {
    return " (" + count + " more like it since the last such line)";
  }

  @Test
  void faultsOfAKindAreToldOnceASecondAndCounted() {
    var faults = new FileFaults("disk", clock);
    for (int i = 0; i < 3; i++) {
      faults.tell("short", "It is short.");
    }
    faults.tell("deleted", "It is gone.");
    assertThat(log.take()).containsExactly("disk: It is short.", "disk: It is gone.");

    clock.advance(SECOND - 1);
    faults.tell("short", "It is short.");
    assertThat(log.take()).isEmpty();
    clock.advance(1);
    faults.tell("short", "It is short.");
    assertThat(log.take()).containsExactly("disk: It is short." + like(3));
    clock.advance(SECOND);
    faults.tell("short", "It is short.");
    faults.tell("deleted", "It is gone.");
    assertThat(log.take()).containsExactly("disk: It is short.", "disk: It is gone.");
  }

  @Test
  void aCallIsToldWithItsPlaceAndItsError() {
    var faults = new FileFaults("disk", clock);
    faults.failed("write", 4096, 512, Errno.EIO, "The command fails.");
    faults.failed("read", 4096, 512, Errno.EIO, "The command fails.");
    faults.failed("write", 4096, 512, Errno.ENOSPC, "The command fails.");
    faults.failed("write", 8192, 512, Errno.EIO, "The command fails.");
    assertThat(log.take())
        .hasSize(3)
        .first()
        .asString()
        .isEqualTo(
            "disk: write of 512 bytes at 4,096 failed: EIO (%s). The command fails."
                .formatted(Errno.EIO.text()));
  }

  private NvmeModelOptions options(Path file) {
    return NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE)).withWake(clock);
  }

  @Test
  void aDeletedFileIsToldOnceAtAFlush() throws Exception {
    var file = directory.resolve("disk");
    try (var host = new NvmeHost(options(file)).enableIo()) {
      assertThat(host.io.run(FLUSH).status()).isZero();
      assertThat(log.take()).isEmpty();
      Files.delete(file);
      assertThat(host.io.run(FLUSH).status()).isZero();
      assertThat(log.take()).as("not looked for again so soon").isEmpty();
      for (int i = 0; i < 3; i++) {
        clock.advance(SECOND);
        assertThat(host.io.run(FLUSH).status()).isZero();
      }
      assertThat(log.take())
          .singleElement()
          .asString()
          .startsWith(file + ": the file was deleted: what is written goes with the end");
    }
  }

  /** Descriptors that are open, by what was asked for; without the cache nothing can be opened. */
  private static final class CachedOnly extends ForwardingKernel {
    final List<Integer> open = new ArrayList<>();

    CachedOnly() {
      super(LinuxKernel.instance());
    }

    @Override
    public int open(String path, int flags, int mode) {
      if ((flags & Kernel.O_DIRECT) != 0) {
        return Errno.EINVAL.result();
      }
      int fd = super.open(path, flags, mode);
      open.add(fd);
      return fd;
    }

    @Override
    public int close(int fd) {
      open.remove(Integer.valueOf(fd));
      return super.close(fd);
    }
  }

  @Test
  void aFileSystemThatCannotLeaveOutItsCacheIsNamed() {
    var kernel = new CachedOnly();
    var file = directory.resolve("disk");
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE).withDirectIo())
            .withKernel(kernel);
    assertThatThrownBy(() -> NvmeModel.of(options))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining(file + ": its file system cannot leave out the cache");
    assertThat(kernel.open).isEmpty();
  }

  /** Nothing of it is written, not at the end either; and others may read it, too. */
  @Test
  void aFileThatIsOnlyReadIsNotFlushedAndIsShared() throws Exception {
    var file = Files.write(directory.resolve("disk"), new byte[SIZE]);
    var kernel = new FaultKernel();
    var namespace = NvmeNamespaceOptions.inFile(file, SIZE).withWriteProtection();
    var options = NvmeModelOptions.of("S", namespace).withKernel(kernel);
    kernel.record();
    try (var host = new NvmeHost(options).enableIo();
        var other = NvmeModel.of(options)) {
      assertThat(host.io.run(NvmeHost.blocks(2, 0, 1)).status()).isZero();
      assertThat(other.storage()).containsExactly(file + " by io_uring, read-only");
    }
    assertThat(kernel.calls()).extracting(call -> call.kind()).containsExactly(Kind.READ);
  }
}
