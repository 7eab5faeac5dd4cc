// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.nvme.NvmeHost.Command;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A served file that is made, made longer, and made shorter by somebody else. */
class FileLengthTest {
  private static final int SIZE = 1 << 20;
  private static final int FLUSH = 0;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int WRITE_ZEROES = 8;
  private static final int READ_ERROR = 0x4281;
  private static final int WRITE_FAULT = 0x4280;

  @TempDir Path directory;

  /** Keeps what was made persistent, by its name. */
  private static final class Watched extends ForwardingKernel {
    final List<String> persistent = new ArrayList<>();
    private final Map<Integer, String> names = new HashMap<>();

    Watched() {
      super(LinuxKernel.instance());
    }

    @Override
    public int open(String path, int flags, int mode) {
      int fd = super.open(path, flags, mode);
      names.put(fd, path);
      return fd;
    }

    @Override
    public int synchronizeData(int fd) {
      persistent.add(names.get(fd));
      return super.synchronizeData(fd);
    }
  }

  private static NvmeModelOptions on(Path file) {
    return NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE));
  }

  @Test
  void aNewFileIsPersistentWithItsNameBeforeItIsServed() {
    var kernel = new Watched();
    var file = directory.resolve("disk");
    try (var _ = NvmeModel.of(on(file).withKernel(kernel))) {
      assertThat(kernel.persistent).containsExactly(file.toString(), directory.toString());
    }
  }

  @Test
  void aFileOfTheRightLengthIsTakenAsItIs() throws Exception {
    var kernel = new Watched();
    var file = Files.write(directory.resolve("disk"), new byte[SIZE]);
    try (var _ = NvmeModel.of(on(file).withKernel(kernel))) {
      assertThat(kernel.persistent).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aFlushFailsAsLongAsTheFileIsShorter(boolean byRing) throws Exception {
    var file = directory.resolve("disk");
    var options = byRing ? on(file) : on(file).withoutRing();
    try (var host = new NvmeHost(options).enableIo();
        var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      var flush = new Command(FLUSH, 1, 0, 0, 0, 0, 0);
      assertThat(host.io.run(flush).status()).isZero();
      channel.truncate(SIZE / 2);
      assertThat(host.io.run(flush).status()).isEqualTo(WRITE_FAULT);
      assertThat(host.io.run(flush).status()).isEqualTo(WRITE_FAULT);
      assertThat(channel.size()).isEqualTo(SIZE / 2);

      channel.write(java.nio.ByteBuffer.allocate(1), SIZE - 1);
      assertThat(host.io.run(flush).status()).isZero();
    }
  }

  /** It would be as long as before, with zeroes where data was, and a flush would succeed. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void nothingIsWrittenToAFileThatIsShorter(boolean byRing) throws Exception {
    var file = directory.resolve("disk");
    var options = byRing ? on(file) : on(file).withoutRing();
    try (var host = new NvmeHost(options).enableIo();
        var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(SIZE / 2);
      int last = SIZE / 512 - 1;
      for (int opcode : new int[] {WRITE, WRITE_ZEROES}) {
        for (int lba : new int[] {0, last}) {
          assertThat(host.io.run(NvmeHost.blocks(opcode, lba, 1)).status()).isEqualTo(WRITE_FAULT);
        }
      }
      assertThat(channel.size()).isEqualTo(SIZE / 2);
      assertThat(host.io.run(NvmeHost.blocks(READ, 0, 1)).status()).isZero();
      assertThat(host.io.run(NvmeHost.blocks(READ, last, 1)).status()).isEqualTo(READ_ERROR);

      channel.write(java.nio.ByteBuffer.allocate(1), SIZE - 1);
      assertThat(host.io.run(NvmeHost.blocks(WRITE, last, 1)).status()).isZero();
    }
  }
}
